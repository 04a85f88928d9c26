"""The errors: whose fault each is, also behind what it caused."""

from harness.errors import AcceleratorFailed, Fault, HostFault, KernelPanic, QemuFailed, caused_by, fault_of


def test_the_fault_is_found_behind_what_it_caused() -> None:
    broken = RuntimeError("a test's own words")
    broken.__cause__ = QemuFailed("gone")
    assert fault_of(broken) is Fault.HOST
    assert fault_of(KernelPanic("oops")) is Fault.APPLIANCE
    assert fault_of(ValueError()) is None
    assert fault_of(None) is None


def test_an_error_is_known_by_what_caused_it() -> None:
    broken = QemuFailed("gone")
    broken.__context__ = AcceleratorFailed("KVM")
    assert caused_by(broken, AcceleratorFailed)
    assert caused_by(broken, HostFault)
    assert not caused_by(broken, KernelPanic)


def test_errors_in_a_circle_end() -> None:
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__context__, other.__context__ = other, one
    assert fault_of(one) is None

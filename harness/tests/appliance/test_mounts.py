"""What is mounted, by the words of a kernel that breakglass brings."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from harness.appliance.mounts import Mounts
from harness.boards import Budget
from harness.errors import WaitTimeout
from harness.gokrazy.inside import DeviceMount

ROOT = "/dev/root / squashfs ro,relatime,errors=continue 0 0"
PERM = "/dev/vda4 /perm ext4 rw,relatime 0 0"
OTHER = "/dev/vdc /perm ext4 rw,noatime 0 0"
WANTED = DeviceMount("/dev/vdc", "/perm", "ext4", ("noatime",))


class Played(Mounts):
    """A device that says these in turn, the last of them for ever; None for a file that it does not have."""

    def __init__(self, *said: str | None) -> None:
        self._said = itertools.chain(said, itertools.repeat(said[-1]))
        self.budget = Budget(service=0.3)
        self.console = SimpleNamespace(name="hello on virt")  # type: ignore[assignment]

    def check(self) -> None:
        pass

    @contextlib.contextmanager
    def breakglass(self) -> Iterator[SimpleNamespace]:  # type: ignore[override]
        def opened(path: str, mode: str) -> io.BytesIO:
            said = next(self._said)
            if said is None:
                raise FileNotFoundError(path)
            return io.BytesIO(said.encode())

        yield SimpleNamespace(look=lambda what, at: at(SimpleNamespace(open=opened)))


def test_all_that_is_mounted_is_read() -> None:
    assert Played(f"{ROOT}\n{PERM}\n").mounts() == (
        DeviceMount("/dev/root", "/", "squashfs", ("ro", "relatime", "errors=continue")),
        DeviceMount("/dev/vda4", "/perm", "ext4", ("rw", "relatime")),
    )


# An older packer writes no such file.
@pytest.mark.parametrize("said", ["null", "[]", None])
def test_an_instance_without_mountdevices_asks_for_none(said: str | None) -> None:
    assert Played(said).mount_devices() == ()


def test_what_mountdevices_ask_for_is_read() -> None:
    said = '[{"Source":"/dev/vdc","Type":"ext4","Target":"/perm","Options":"noatime"}]'
    assert Played(said).mount_devices() == (WANTED,)


def test_what_was_mounted_last_is_what_counts() -> None:
    found = Played(ROOT, f"{ROOT}\n{PERM}\n{OTHER}").wait_until_mounted(WANTED)
    assert (found.source, found.options) == ("/dev/vdc", ("rw", "noatime"))


@pytest.mark.parametrize(
    ("said", "instead"),
    [(ROOT, "nothing on /perm"), (PERM.replace("ext4", "vfat"), r"/perm \(vfat from /dev/vda4, rw\)")],
)
def test_the_error_says_what_is_there_instead(said: str, instead: str) -> None:
    with pytest.raises(WaitTimeout, match=f"/dev/vdc to be mounted on /perm .*last seen: {instead}") as caught:
        Played(said).wait_until_mounted(WANTED)
    assert "--gk-disk" in caught.value.hint

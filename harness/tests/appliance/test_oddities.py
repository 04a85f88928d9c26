"""Which mounts and listeners are odd, and which are nobody's business."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.appliance.oddities import odd_listeners, odd_mounts
from harness.gokrazy.inside import DeviceMount, Listener
from harness.image.model import Breakglass, Image, Service
from harness.tests.image.plain import PLAIN

IMAGE = replace(
    PLAIN,
    breakglass=Breakglass(),
    extra_files=("/usr/bin/conmon", "/usr/local/bin/busybox"),
    services=(
        Service("/gokrazy/ntp", "github.com/gokrazy/gokrazy/cmd/ntp"),
        Service("/gokrazy/mydhcp", "example.org/mydhcp"),
        Service("/user/hello", "example.org/hello"),
        Service("/user/breakglass", "github.com/gokrazy/breakglass"),
    ),
)


@pytest.mark.parametrize(
    ("one", "odd"),
    [
        (DeviceMount("/dev/root", "/", "squashfs", ("ro",)), False),
        (DeviceMount("/dev/root", "/", "squashfs", ("rw",)), True),
        (DeviceMount("rootfs", "/", "rootfs", ("rw",)), False),
        *[
            (DeviceMount("x", target, "tmpfs", ("rw",)), False)
            for target in (
                "/tmp",
                "/perm",
                "/dev/shm",
                "/sys/kernel/tracing",
                "/perm/containers/merged",
                "/mnt/data",
                # Empty folders of every image; /var is one of older images.
                "/mnt",
                "/var",
            )
        ],
        (DeviceMount("/dev/sdb1", "/data", "ext4", ("rw",)), False),
        *[
            (DeviceMount("x", target, "tmpfs", ("rw",)), True)
            for target in ("/user", "/etc", "/bin", "/opt", "/mnt2")
        ],
        (DeviceMount("x", "/opt", "squashfs", ("ro",)), False),
    ],
)
def test_what_is_writable_where_nothing_is_meant_to_be_is_odd(one: DeviceMount, odd: bool) -> None:
    assert [*odd_mounts([one], IMAGE, ["/data"])] == ([one] if odd else [])


def test_busyboxs_names_may_lie_over_bin() -> None:
    one = DeviceMount("tmpfs", "/bin", "tmpfs", ("rw",))
    assert [*odd_mounts([one], replace(IMAGE, has_other_shell=True), [])] == []


@pytest.mark.parametrize(
    ("one", "odd"),
    [
        (Listener("tcp", "10.0.2.15", 80, 1, "/gokrazy/init"), False),
        (Listener("tcp", "100.64.0.2", 443, 1, "/gokrazy/init"), False),
        (Listener("tcp", "0.0.0.0", 80, 1, "/gokrazy/init"), True),
        (Listener("tcp", "10.0.2.15", 8080, 1, "/gokrazy/init"), True),
        (Listener("tcp", "10.0.2.15", 22, 9, "/user/breakglass", "/user/breakglass"), False),
        (Listener("tcp", "10.0.2.15", 2222, 9, "/user/breakglass", "/user/breakglass"), True),
        (Listener("tcp", "::", 22, 9, "/user/breakglass", "/user/breakglass"), True),
        (Listener("tcp", "10.0.2.15", 2323, 9, "/tmp/serial-busybox/busybox", "/user/breakglass"), True),
        (Listener("tcp", "::", 8080, 9, "/user/hello", "/user/hello"), False),
        (Listener("tcp", "0.0.0.0", 5000, 9, "/usr/sbin/nginx", "/user/hello"), False),
        (Listener("tcp", "10.0.2.15", 123, 9, "/gokrazy/ntp", "/gokrazy/ntp"), True),
        (Listener("udp", "0.0.0.0", 40001, 9, "/gokrazy/ntp", "/gokrazy/ntp"), False),
        (Listener("tcp", "0.0.0.0", 67, 9, "/gokrazy/mydhcp", "/gokrazy/mydhcp"), False),
        (Listener("tcp", "0.0.0.0", 6666, 9, "/tmp/x"), True),
        (Listener("udp", "0.0.0.0", 6666, 9, "/tmp/x"), True),
        (Listener("tcp", "0.0.0.0", 6666, 9, "/usr/bin/conmon"), False),
        (Listener("tcp", "0.0.0.0", 2323, 9, "/usr/local/bin/busybox"), True),
        (Listener("tcp", "0.0.0.0", 8080, 9, "/usr/local/bin/busybox", "/user/hello"), False),
        # Of the kernel, or of a process that has ended.
        (Listener("udp", "0.0.0.0", 51820), False),
    ],
)
def test_who_listens_and_is_meant_by_nobody_is_odd(one: Listener, odd: bool) -> None:
    assert [*odd_listeners([one], IMAGE, 22)] == ([one] if odd else [])


def test_the_port_of_breakglass_is_the_one_it_was_given() -> None:
    moved: Image = replace(IMAGE, breakglass=Breakglass(port=2222))
    one = Listener("tcp", "10.0.2.15", 2222, 9, "/user/breakglass", "/user/breakglass")
    assert [*odd_listeners([one], moved, 2222)] == []

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
from harness.gokrazy.inside import DeviceMount, mounts_in

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
    ("wanted", "line"),
    [
        # gok cuts the slash off, and so does the kernel.
        (DeviceMount("/dev/vdc", "/mnt/data/", "ext4", ()), "/dev/vdc /mnt/data ext4 rw,relatime 0 0"),
        # What is bound elsewhere keeps its kind.
        (DeviceMount("/perm/media", "/mnt/media", "", ("bind",)), "/dev/vda4 /mnt/media ext4 rw,relatime 0 0"),
        (
            DeviceMount("/perm/media", "/mnt/media", "none", ("rbind",)),
            "/dev/vda4 /mnt/media ext4 rw,relatime 0 0",
        ),
        (DeviceMount("/perm/media", "/mnt/media", "vfat", ("bind",)), "/dev/vda4 /mnt/media ext4 rw,relatime 0 0"),
        # /var is a link, and was a folder once.
        (DeviceMount("/dev/vdc", "/var/lib/", "ext4", ()), "/dev/vdc /perm/var/lib ext4 rw,relatime 0 0"),
        (DeviceMount("tmpfs", "/var", "tmpfs", ()), "tmpfs /var tmpfs rw,relatime 0 0"),
    ],
)
def test_a_mount_is_found_as_the_kernel_lists_it(wanted: DeviceMount, line: str) -> None:
    (listed,) = mounts_in(line)
    assert Played(f"{ROOT}\n{line}\n").wait_until_mounted(wanted) == listed


@pytest.mark.parametrize(
    ("asked", "listed", "missing"),
    [
        ("noatime", "rw,noatime", ""),
        ("noatime,nosuid", "rw,relatime", "noatime,nosuid"),
        ("ro", "rw,relatime", "ro"),
        ("rw", "ro,relatime", "rw"),
        ("nodev,noexec,sync,dirsync,nodiratime", "rw,sync,nodev,nodiratime", "dirsync,noexec"),
        ("relatime", "rw,noatime", "relatime"),
        # It lists none of these.
        ("bind,private,nomand,norelatime,suid,async,defaults", "rw,relatime", ""),
        # What is for the file system it lists in that one's own words.
        ("umask=0022,ro", "ro,relatime,fmask=0022,dmask=0022,codepage=437", ""),
        ("size=64M", "rw,relatime,size=65536k", ""),
        # Of these, it knows one at a time.
        ("relatime,noatime", "rw,noatime", ""),
        ("strictatime,relatime,noatime", "rw", ""),
    ],
)
def test_an_option_that_does_not_hold_is_missed_where_the_kernel_lists_it(
    asked: str, listed: str, missing: str
) -> None:
    wanted, there = (
        DeviceMount("/dev/vdc", "/mnt/data", "ext4", tuple(one.split(","))) for one in (asked, listed)
    )
    assert ",".join(there.lacks(wanted)) == missing


@pytest.mark.parametrize(
    ("said", "instead"),
    [(ROOT, "nothing on /perm"), (PERM.replace("ext4", "vfat"), r"/perm \(vfat from /dev/vda4, rw\)")],
)
def test_the_error_says_what_is_there_instead(said: str, instead: str) -> None:
    with pytest.raises(WaitTimeout, match=f"/dev/vdc to be mounted on /perm .*last seen: {instead}") as caught:
        Played(said).wait_until_mounted(WANTED)
    assert "--gk-disk" in caught.value.hint

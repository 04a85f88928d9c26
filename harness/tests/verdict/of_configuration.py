"""Ways to break what config.json and /perm say, and what a developer must read then."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.faults.disk import without
from harness.image.model import Extent
from harness.image.perm import format_perm
from harness.image.squashfs import File, Node
from harness.tests.verdict import damage, programs
from harness.tests.verdict.of_others import configured
from harness.tests.verdict.way import Red, Way

HOSTNAME = "test_the_host_name_is_announced_over_dhcp_and_the_address_taken"
PERM_SAYS = "test_what_perm_says_of_password_and_log_server_counts_from_the_start"
DISKS = "test_every_device_of_mountdevices_is_mounted_and_takes_data"
CLOCK = "test_the_clock_is_set_by_the_time_server"
SEED = "test_a_seed_is_saved_at_shutdown_and_used_once_at_the_next_start"
ROOM = "test_it_has_the_room_of_its_partition"
FULL = "test_a_full_one_takes_nothing_down_and_can_be_emptied"
BLANK = "test_a_blank_one_keeps_nothing_and_the_device_serves_all_the_same"
INIT = "/gokrazy/init"


def changed_init(change: Callable[[bytes], bytes]) -> damage.Damage:
    """An init with other bytes, as many as before."""

    def edit(path: str, node: Node) -> Node:
        if path != INIT or not isinstance(node, File):
            return node
        before = node.content if isinstance(node.content, bytes) else node.content.read_bytes()
        after = change(before)
        assert len(after) == len(before)
        assert after != before
        return File(after, node.mode)

    return damage.root(edit)


def another_password(init: bytes) -> bytes:
    """Take another file for that of the password, in /perm and in /etc: there is one in /etc alone."""
    return re.sub(rb"(?<!/etc/)gokr-pw\.txt", b"./././hosts", init)


def another_log_target(init: bytes) -> bytes:
    """Look for the log server under another name."""
    return init.replace(b"/perm/remote_syslog/target", b"/perm/remote_syslog/nobody")


def half_of_perm(disk: damage.Disk) -> None:
    """A file system that was made for a smaller disk."""
    place = disk.image.layout.perm
    assert place is not None
    with tempfile.TemporaryDirectory() as folder:
        half = Path(folder) / "half.ext4"
        with half.open("wb") as file:
            file.truncate(place.size // 2)
        format_perm(half, Extent(0, place.size // 2), seed="half", mtime=0)
        disk.write(place.offset, half)


def way(name: str, red: Red, how: damage.Damage) -> Way:
    """A row whose test is the one that turns red."""
    return Way(name, red, damage=how, tests=red.test)


CONFIGURATION = (
    way(
        "no word to a DHCP server",
        Red(HOSTNAME, "WaitTimeout", "a DHCP ack; the capture heard", "DHCP client"),
        damage.with_program("/gokrazy/dhcp", programs.GIVES_ITSELF_AN_ADDRESS),
    ),
    way(
        "the password in /perm does not count",
        Red(PERM_SAYS, "AuthenticationRefused", "password"),
        changed_init(another_password),
    ),
    way(
        "the log server in /perm gets nothing",
        Red(PERM_SAYS, "WaitTimeout", "the log server heard nothing", "remote_syslog"),
        changed_init(another_log_target),
    ),
    Way(
        "a disk of MountDevices is not there",
        Red(DISKS, "WaitTimeout", "/dev/vdb.*to be mounted on /mnt/data", "--disk"),
        instance=configured(
            MountDevices=[{"Source": "/dev/vdb", "Type": "ext4", "Target": "/mnt/data", "Options": "noatime"}]
        ),
        tests=DISKS,
    ),
    way(
        "no client for the time",
        Red(CLOCK, "WaitTimeout", "a question for the time; the time server heard nothing", "ntp"),
        damage.root(without("/gokrazy/ntp")),
    ),
    way(
        "no seed is saved",
        Red(SEED, "AssertionError", "no seed was saved at shutdown", ""),
        damage.with_program("/gokrazy/randomd", programs.SAVES_NO_SEED),
    ),
    way(
        "/perm is half as large as its partition",
        Red(ROOM, "AssertionError", "/perm has another size than its partition", ""),
        half_of_perm,
    ),
    way(
        "a service dies of a full /perm",
        Red(FULL, "AssertionError", "a service did not live through a full /perm", ""),
        damage.with_program("/user/hello", programs.WRITES_OR_DIES),
    ),
    way(
        "a service dies of a blank /perm",
        Red(BLANK, "ApplianceFault", "/user/hello"),
        damage.with_program("/user/hello", programs.WRITES_OR_DIES),
    ),
)

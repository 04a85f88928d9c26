"""What an image can do on a board, and the reason that a reader gets where it cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.appliance import abilities
from harness.appliance.abilities import ABILITIES, missing
from harness.boards import board
from harness.errors import OptionError
from harness.firmware.voice import Voice
from harness.gokrazy.browser import NO_CHROMIUM
from harness.image.model import Breakglass, Image, Layout, PermState
from harness.tests.image.plain import PLACE, PLAIN

IMAGE = replace(PLAIN, breakglass=Breakglass(), has_serial_shell=True, has_agent=True)
HEARD = Voice("ttyAMA0", kernel=True, init=True)
KERNEL_ONLY = Voice("ttyAMA0", kernel=True, init=False, why="init writes to tty1")
SILENT = Voice("ttyAMA0", kernel=False, init=False, why="its serial console is serial0")


@pytest.fixture(autouse=True)
def with_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a host that has one."""
    monkeypatch.setattr(abilities, "no_browser", lambda: "")


def test_without_a_browser_a_test_that_needs_one_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abilities, "no_browser", lambda: NO_CHROMIUM)
    assert reasons(HEARD) == {"browser": f"not applicable: {NO_CHROMIUM}"}


def reasons(voice: Voice, image: Image = IMAGE, no_key: str = "") -> dict[str, str]:
    """What cannot be done, and why."""
    lacking = {name: missing(image, name, voice=voice, no_key=no_key) for name in ABILITIES}
    assert all(reason.startswith("not applicable: ") for reason in lacking.values() if reason)
    return {name: reason for name, reason in lacking.items() if reason}


def test_an_image_with_all_of_it_can_do_everything() -> None:
    assert reasons(HEARD) == {}


def test_an_unknown_ability_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(OptionError) as caught:
        missing(IMAGE, "bluetooth", voice=HEARD, no_key="")
    assert all(name in caught.value.hint for name in ABILITIES)


def test_without_a_console_the_web_interface_and_breakglass_remain() -> None:
    for voice in (KERNEL_ONLY, SILENT):
        lacking = reasons(voice)
        assert set(lacking) == {"console", "serial-shell"}
        assert all(voice.why in reason for reason in lacking.values())


def test_the_slot_is_known_from_whoever_is_heard_or_from_breakglass() -> None:
    without = replace(IMAGE, breakglass=None)
    assert "slot" not in reasons(KERNEL_ONLY, without)
    assert "slot" in reasons(SILENT, without)


def test_without_a_password_what_goes_over_http_is_left_out() -> None:
    lacking = reasons(HEARD, replace(IMAGE, password=None))
    assert set(lacking) == {"http", "browser", "breakglass", "breakglass-shell"}
    assert all("Unix socket of the device only (NoPassword)" in reason for reason in lacking.values())


def test_who_has_neither_is_not_known_to_be_up() -> None:
    lacking = reasons(SILENT, replace(IMAGE, password=None))
    assert "nothing says when it is up" in lacking["ready"]
    assert "its serial console is serial0" in lacking["ready"]
    assert "slot" in lacking


@pytest.mark.parametrize(
    ("state", "why"), [("ext4", ""), ("other", ""), ("mkfs", ""), ("blank", "--gk-perm ext4")]
)
def test_data_in_perm_stays_where_something_is_mounted_there(state: PermState, why: str) -> None:
    said = missing(replace(IMAGE, perm=state), "perm", voice=HEARD, no_key="")
    assert bool(said) == bool(why)
    assert why in said


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("ext4", ""),
        ("other", "formatted with something else than ext4"),
        ("mkfs", "blank until its own mkfs"),
        ("blank", "--gk-perm ext4"),
    ],
)
def test_this_host_reads_and_writes_an_ext4_only(state: PermState, why: str) -> None:
    said = missing(replace(IMAGE, perm=state), "perm-files", voice=HEARD, no_key="")
    assert bool(said) == bool(why)
    assert why in said


def test_a_perm_that_is_another_disk_s_is_not_the_partition() -> None:
    image = replace(IMAGE, perm_is_elsewhere=True)
    assert reasons(HEARD, image) == {"perm-files": "not applicable: MountDevices puts another disk on /perm"}


def test_without_the_partition_no_option_helps() -> None:
    blank = replace(IMAGE, layout=Layout(PLACE, PLACE, PLACE, None), perm="blank")
    why = "not applicable: the image has no permanent partition"
    assert reasons(HEARD, blank) == {"perm": why, "perm-files": why}


def test_the_reason_for_a_missing_key_is_passed_on() -> None:
    why = "not applicable: it is in a drawer"
    assert reasons(HEARD, no_key="it is in a drawer") == {"breakglass": why, "breakglass-shell": why}
    assert "which slot runs" in reasons(SILENT, no_key="it is in a drawer")["slot"]


def test_without_a_shell_breakglass_takes_files_and_runs_programs_and_no_more() -> None:
    bare = replace(IMAGE, has_serial_shell=False)
    lacking = reasons(HEARD, bare)
    assert set(lacking) == {"breakglass-shell", "serial-shell"}
    assert "github.com/gokrazy/serial-busybox" in lacking["breakglass-shell"]
    assert set(reasons(HEARD, replace(bare, has_other_shell=True))) == {"serial-shell"}
    assert "which slot runs" in reasons(SILENT, bare)["slot"]


def test_a_checkpoint_is_a_matter_of_the_board() -> None:
    said = missing(IMAGE, "checkpoint", voice=HEARD, no_key="", board=board("virt:nvme"))
    assert said.startswith("not applicable: QEMU cannot freeze the board virt:nvme: a snapshot of QEMU's cannot")
    assert missing(IMAGE, "checkpoint", voice=HEARD, no_key="", board=board("virt")) == ""


def test_an_agent_is_a_matter_of_the_image_its_kernel_and_the_board() -> None:
    def said(image: Image, name: str) -> str:
        return missing(image, "agent", voice=HEARD, no_key="", board=board(name))

    def driving(*drivers: str) -> Image:
        return replace(IMAGE, kernel=replace(IMAGE.kernel, drivers=drivers))

    assert said(driving("virtio_console"), "virt") == ""
    assert "no driver for a guest agent's channel" in said(driving("virtio_blk"), "virt")
    assert "raspi4b has no place for a guest agent's channel" in said(IMAGE, "raspi4b")
    assert "no program of the image is a guest agent" in said(replace(IMAGE, has_agent=False), "virt")


def test_a_screen_is_a_matter_of_the_board_as_it_is_for_the_image() -> None:
    draws = replace(IMAGE, draws=True, kernel=replace(IMAGE.kernel, drivers=("virtio-gpu",)))
    assert missing(draws, "screen", voice=HEARD, no_key="", board=board("pc-bios").fitted(draws)) == ""
    assert missing(IMAGE, "screen", voice=HEARD, no_key="", board=board("raspi4b")) == ""
    for other in (board("virt"), board("pc-bios").fitted(IMAGE)):
        said = missing(IMAGE, "screen", voice=HEARD, no_key="", board=other)
        assert said.startswith("not applicable: there is no screen (a PC has one for an image with a program")

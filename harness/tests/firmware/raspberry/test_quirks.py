"""What is changed for QEMU's Raspberry Pi boards, and that a note reports it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.firmware.raspberry.models import MODELS
from harness.firmware.raspberry.quirks import QUIRKS
from harness.tests.firmware.raspberry.pi import (
    CONFIG,
    boot_files,
    property_of,
    start,
    tree_of,
)


def test_quirks_are_applied_and_reported_with_their_price(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(), "pi4", quirks=True)
    assert property_of(loaded, "/soc/watchdog@7e100000") == "disabled"
    assert property_of(loaded, "/soc/restart@7e100000/restart", "compatible") == "syscon-reboot"
    assert property_of(loaded, "/soc/usb@7e980000", "dr_mode") == "host"
    assert property_of(loaded, "/aliases", "serial0") == "/soc/serial@7e201000"
    quirks = [note for note in loaded.notes if note.startswith("quirk ")]
    names = [quirk.name for quirk in QUIRKS if quirk.name != "sd-card"]  # for which there is nothing to do
    assert [note.split(":")[0] for note in quirks] == [f"quirk {name}" for name in names]
    assert all("; price: " in note for note in quirks)


def test_the_power_off_is_marked_before_it_is_done(tmp_path: Path) -> None:
    node = tree_of(start(tmp_path, boot_files(), quirks=True)).root.find("/soc/restart@7e100000")
    assert node is not None
    assert node.properties["reg"] == bytes.fromhex("7e10000000000114")
    writes = [(child.properties["offset"][3], child.properties["value"].hex()) for child in node.children]
    assert writes == [(0x1C, "5a000020"), (0x20, "5a000555"), (0x1C, "5a000020")]


def test_the_sd_card_stays_when_wifi_goes(tmp_path: Path) -> None:
    wifi = "/soc/mmcnr@7e300000"
    disabled = boot_files(CONFIG + "dtoverlay=disable-wifi")
    assert property_of(start(tmp_path, disabled, "pi4"), wifi) == "disabled"
    loaded = start(tmp_path, disabled, "pi4", quirks=True)
    assert property_of(loaded, wifi) == "okay"
    assert "quirk sd-card" in " ".join(loaded.notes)
    assert property_of(start(tmp_path, disabled, "pi3", quirks=True), wifi) == "disabled"


def test_usb_is_left_alone_on_a_model_that_has_it(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(), "pi3", quirks=True)
    assert property_of(loaded, "/soc/usb@7e980000", "compatible") == "brcm,bcm2708-usb"
    assert "usb-host" not in " ".join(loaded.notes)


@pytest.mark.parametrize("overlay", ["disable-bt", "miniuart-bt"])
def test_bluetooth_is_left_to_an_overlay_of_config_txt(tmp_path: Path, overlay: str) -> None:
    loaded = start(tmp_path, boot_files(CONFIG + f"dtoverlay={overlay}"), quirks=True)
    assert "quirk disable-bt" not in " ".join(loaded.notes)
    assert f"device tree overlays: {overlay}" in loaded.notes
    assert property_of(loaded, "/aliases", "serial0") == "/soc/serial@7e201000"


def test_a_quirk_that_cannot_be_applied_is_not_reported_as_applied(tmp_path: Path) -> None:
    loaded = start(tmp_path, boot_files(**{"overlays/disable-bt.dtbo": None}), quirks=True)
    assert "dtoverlay=disable-bt is skipped" in " ".join(loaded.notes)
    assert "quirk disable-bt" not in " ".join(loaded.notes)


def test_every_quirk_is_for_models_that_are_there() -> None:
    assert all(quirk.models <= MODELS.keys() for quirk in QUIRKS)

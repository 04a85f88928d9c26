"""Raspberry Pi 3 Model B."""

from harness.boards.board import SD, Board, Boot
from harness.boards.raspberry import BUDGET, CARD_PROVES, NO_CLOCK, ROUTE_RACE, USB_NIC

BOARD = Board(
    name="raspi3b",
    arch="arm64",
    title="Raspberry Pi 3 Model B, firmware played by the harness",
    boot=Boot.RASPBERRY,
    model="pi3",
    qemu="qemu-system-aarch64",
    machine="raspi3b",
    cpu="cortex-a53",
    console="ttyAMA0",
    memory=1024,
    cpus=4,
    disk=SD,
    nic=USB_NIC,
    late_answers=ROUTE_RACE,
    devices=(),
    images="rpi",
    rtc=NO_CLOCK,
    boot_files=(("bootcode.bin",), ("start.elf",), ("bcm2710-rpi-3-b.dtb", "bcm2837-rpi-3-b.dtb")),
    budget=BUDGET,
    slow_upload=True,
    can_capture=False,
    proves=CARD_PROVES,
    cannot=(
        "the firmware itself: the harness plays it",
        "the Ethernet chip, Wi-Fi, Bluetooth, the watchdog, HDMI",
        "uploads at speed: the network is a USB adapter under emulation",
        "warm starts",
    ),
)

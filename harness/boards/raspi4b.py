"""Raspberry Pi 4 Model B."""

from harness.boards.board import SD, Board, Boot
from harness.boards.raspberry import (
    BUDGET,
    CARD_PROVES,
    FORGOTTEN_CARD,
    HAS,
    NO_CLOCK,
    ROUTE_RACE,
    USB_BUS,
    USB_NIC,
)

BOARD = Board(
    name="raspi4b",
    arch="arm64",
    title="Raspberry Pi 4 Model B, firmware played by the harness",
    boot=Boot.RASPBERRY,
    model="pi4",
    qemu="qemu-system-aarch64",
    machine="raspi4b",
    cpu="cortex-a72",
    console="ttyAMA0",
    has=HAS,
    memory=2048,
    cpus=4,
    fixed="2048 MiB of memory, four processors and one SD card",
    disk=SD,
    nic=USB_NIC,
    late_answers=ROUTE_RACE,
    late_nic=FORGOTTEN_CARD,
    devices=(),
    images="rpi",
    rtc=NO_CLOCK,
    boot_files=(("start4.elf",), ("bcm2711-rpi-4-b.dtb",)),
    budget=BUDGET,
    slow_upload=True,
    late_nic_bus=USB_BUS,
    proves=CARD_PROVES,
    cannot=(
        "the firmware itself: the harness plays it",
        "GENET, PCIe with the USB 3 ports, Wi-Fi, Bluetooth, the watchdog, EEPROM, HDMI",
        "uploads at speed: the network is on an emulated USB port",
        "checkpoints: a network that is unplugged does not come back by itself",
    ),
)

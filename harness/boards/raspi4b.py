"""Raspberry Pi 4 Model B."""

from harness.boards.board import SD, Board, Boot, Default
from harness.boards.raspberry import (
    BUDGET,
    CARD_PROVES,
    FORGOTTEN_CARD,
    FOUR_PROCESSORS,
    HAS,
    NO_CLOCK,
    ROUTE_RACE,
    UNMIGRATABLE_CARD,
    USB_BUS,
    USB_NIC,
    VIDEOCORE,
    WAITING_PROCESSORS,
)
from harness.boards.workarounds import Workarounds

BOARD = Board(
    name="raspi4b",
    arch="arm64",
    title="Raspberry Pi 4 Model B, firmware played by the harness",
    boot=Boot.RASPBERRY,
    default=Default.RASPBERRY,
    model="pi4",
    machine="raspi4b",
    cpu="cortex-a72",
    has=HAS,
    memory=2048,
    # QEMU gives the kernel what lies below the first GiB alone (hw/arm/raspi4b.c, 10.0).
    withheld=1024 + VIDEOCORE,
    cpus=4,
    is_fixed=True,
    disk=SD,
    nic=USB_NIC,
    nic_bus=USB_BUS,
    devices=(),
    images="rpi",
    rtc=NO_CLOCK,
    boot_files=(("start4.elf",), ("bcm2711-rpi-4-b.dtb",)),
    budget=BUDGET,
    slow_upload=True,
    unrecorded=FOUR_PROCESSORS,
    workarounds=Workarounds(
        waiting_processors=WAITING_PROCESSORS,
        late_answers=ROUTE_RACE,
        late_nic=FORGOTTEN_CARD,
        nic_after_restore=UNMIGRATABLE_CARD,
    ),
    proves=CARD_PROVES,
    cannot=(
        "the firmware itself: the harness plays it",
        "GENET, PCIe with the USB 3 ports, Wi-Fi, Bluetooth, the watchdog, EEPROM, HDMI",
        "uploads at speed: the network is on an emulated USB port",
        "more than 960 MiB of its memory: QEMU gives the kernel no more",
        "checkpoints: a network that is unplugged does not come back by itself",
    ),
)

"""The software of a Raspberry Pi on an arm64 virtual machine."""

from harness.boards.board import Board, Boot, Default
from harness.boards.hardware import WATCHDOG
from harness.boards.raspberry import NO_CLOCK

BOARD = Board(
    name="raspi-virt",
    arch="arm64",
    title="the Raspberry Pi's kernel and image on an arm64 virtual machine",
    boot=Boot.HARNESS,
    default=Default.RASPBERRY,
    machine="virt-9.0",
    cpu="cortex-a72",
    has_serial0=True,
    images="rpi",
    rtc=NO_CLOCK,
    devices=("i6300esb",),
    has=(WATCHDOG,),
    boot_files=(("start.elf", "start4.elf"), ("bcm27*.dtb", "bcm28*.dtb")),
    proves=(
        "the kernel in the image boots with the image's command line",
        "init, services, full updates and A/B flip with the Raspberry Pi's kernel",
        "what a device without a clock does with the time",
        "a kernel that hangs is reset by a watchdog that gokrazy feeds (not the Raspberry Pi's own)",
    ),
    cannot=(
        "any hardware of a Raspberry Pi: it has virtio disk and network",
        "config.txt, device trees and overlays: the harness plays a boot loader that reads none of them, "
        "and of the Raspberry Pi's firmware does no more than to put ttyAMA0 for serial0",
    ),
)

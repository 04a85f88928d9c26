"""PC with UEFI."""

from harness.boards.board import Board, Boot, Default
from harness.boards.hardware import CLOCK, DISPLAY
from harness.boards.pc import SCREEN, WORKAROUNDS

BOARD = Board(
    name="pc-uefi",
    arch="amd64",
    title="PC with UEFI",
    boot=Boot.UEFI,
    default=Default.ALWAYS,
    machine="pc-q35-9.0",
    cpu="max",
    display=SCREEN,
    has=(DISPLAY, CLOCK),
    workarounds=WORKAROUNDS,
    proves=(
        "edk2 finds and starts the systemd-boot in the image",
        "loader/entries/gokrazy.conf and what an update leaves in it",
        "reboot by kexec, and cold boot through the boot loader",
    ),
    cannot=(
        "the boot sector",
        "Secure Boot",
        "real PC firmware, storage and network hardware",
    ),
)

"""PC with BIOS."""

from harness.boards.board import Board, Boot, Default
from harness.boards.hardware import CLOCK, DISPLAY
from harness.boards.pc import SCREEN, WORKAROUNDS

BOARD = Board(
    name="pc-bios",
    arch="amd64",
    title="PC with BIOS",
    boot=Boot.BIOS,
    default=Default.ALWAYS,
    # graphics=off: SeaBIOS then speaks on the serial port, so that a disk it cannot boot is no mere silence.
    machine="pc-q35-9.0,graphics=off",
    cpu="max",
    display=SCREEN,
    has=(DISPLAY, CLOCK),
    workarounds=WORKAROUNDS,
    proves=(
        "SeaBIOS runs the image's boot sector, which loads vmlinuz and cmdline.txt",
        "the hybrid partition table and the PARTUUID of the root file system",
        "reboot by kexec, and cold boot through the boot sector",
    ),
    cannot=(
        "UEFI and systemd-boot",
        "real PC firmware, storage and network hardware",
    ),
)

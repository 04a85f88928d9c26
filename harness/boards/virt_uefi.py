"""arm64 virtual machine with UEFI."""

from harness.boards.board import Board, Boot
from harness.boards.hardware import CLOCK

BOARD = Board(
    name="virt-uefi",
    arch="arm64",
    title="arm64 virtual machine with UEFI",
    boot=Boot.UEFI,
    machine="virt-9.0",
    cpu="cortex-a72",
    has=(CLOCK,),
    proves=(
        "edk2 finds and starts the systemd-boot in the image",
        "loader/entries/gokrazy.conf and what an update leaves in it",
        "reset through the firmware",
    ),
    cannot=(
        "any device tree of a real board",
        "Secure Boot",
    ),
)

"""arm64 virtual machine, kernel started by the harness."""

from harness.boards.board import Board, Boot, Default
from harness.boards.hardware import CLOCK

BOARD = Board(
    name="virt",
    arch="arm64",
    title="arm64 virtual machine, kernel started by the harness",
    boot=Boot.HARNESS,
    default=Default.ALWAYS,
    machine="virt-9.0",
    cpu="cortex-a72",
    has=(CLOCK,),
    proves=(
        "the kernel in the image boots with the image's command line",
        "init, services, update and A/B flip on arm64",
    ),
    cannot=(
        "any boot loader: the harness plays it, and reads the boot partition at every reset",
        "any device tree of a real board",
    ),
)

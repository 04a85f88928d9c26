"""arm64 virtual machine, kernel started by the harness."""

from harness.boards.board import Board, Boot
from harness.boards.hardware import CLOCK

BOARD = Board(
    name="virt",
    arch="arm64",
    title="arm64 virtual machine, kernel started by the harness",
    boot=Boot.HARNESS,
    qemu="qemu-system-aarch64",
    machine="virt-9.0",
    cpu="cortex-a72",
    console="ttyAMA0",
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

"""One row an architecture, and everybody asks the row."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import harness
from harness.boards import Boot, boards
from harness.image.arch import ARCHITECTURES, NAMES, Arch, Architecture, architecture_of, known, of_machine

HERE = Path(harness.__file__).parent
ROWS = Path("image/arch.py")
BOARDS = Path("boards")
PI = Path("firmware/raspberry")
"""The firmware of a Raspberry Pi is of one architecture, and its device tree names its serial ports."""


def test_every_name_has_a_row_and_every_row_is_different() -> None:
    assert get_args(Arch) == NAMES
    for field in ("name", "machine", "elf", "narrow", "kernel_magic", "serial", "root_type", "efi", "qemu"):
        assert len({getattr(row, field) for row in ARCHITECTURES}) == len(ARCHITECTURES), field


@pytest.mark.parametrize("row", ARCHITECTURES, ids=NAMES)
def test_a_row_is_found_by_its_names(row: Architecture) -> None:
    assert architecture_of(row.name) is row
    assert known(row.name) == row.name
    assert of_machine(row.machine) == row.name
    assert known(row.narrow) is None
    assert known(None) is None
    assert of_machine("m68k") is None


def test_the_files_of_uefi_are_named_as_the_specification_has_them() -> None:
    assert [row.efi_loader for row in ARCHITECTURES] == ["EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/BOOTAA64.EFI"]
    assert [row.systemd_boot for row in ARCHITECTURES] == ["systemd-bootx64.efi", "systemd-bootaa64.efi"]


@pytest.mark.parametrize("row", ARCHITECTURES, ids=NAMES)
def test_each_has_a_board_and_what_starts_it(row: Architecture) -> None:
    its = [board for board in boards() if board.arch == row.name]
    assert its
    assert {(board.qemu, board.console) for board in its} == {(row.qemu, row.serial)}
    assert row.has_boot_sector == any(board.boot is Boot.BIOS for board in its)


def words(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module that are no docstrings."""
    tree = ast.parse(path.read_text())
    plain = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in plain:
            yield node.lineno, node.value


def test_nothing_about_an_architecture_is_written_elsewhere() -> None:
    of_rows = {
        word
        for row in ARCHITECTURES
        for word in (row.name, row.machine, row.serial, row.qemu, row.systemd_boot, row.efi_loader)
    }
    serial = {row.serial for row in ARCHITECTURES}
    found = []
    for path in sorted(HERE.rglob("*.py")):
        inside = path.relative_to(HERE)
        if inside == ROWS or inside.parts[0] == "tests":
            continue
        free = {*NAMES, *serial} if inside.is_relative_to(PI) else {*NAMES} if inside.parent == BOARDS else set()
        found += [f"{inside}:{line}: {word}" for line, word in words(path) if word in of_rows - free]
    assert found == []

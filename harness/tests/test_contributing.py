"""CONTRIBUTING.md: what it names is there, and what it says of adding things holds for things added from outside.

A board is added in ``boards/test_new_board.py``, a crash pattern in ``console/test_crashes.py``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.config.argparsing import Parser

from harness import cli, faults, options
from harness.appliance import wanted
from harness.boards import board
from harness.commands import arguments
from harness.errors import OptionError
from harness.option import Option, rows
from harness.run import markers
from harness.tests.faults.test_page import verbs
from harness.tests.test_plugin import Run, instance, run

__all__ = ["run"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
clone_only = pytest.mark.skipif(not PAGE.is_file(), reason="not a clone: there is no CONTRIBUTING.md")


@clone_only
def test_every_file_that_it_names_is_there() -> None:
    named = re.findall(r"`([\w./-]+/[\w./-]*)`|\]\(([\w./-]+)\)", PAGE.read_text())
    paths = {one or other for one, other in named}
    assert len(paths) > 10
    there = {path for path in paths if any(is_there(path)) or "NAME" in path or "ARCH" in path}
    assert paths - there == set()


def is_there(path: str) -> list[bool]:
    return [(ROOT / folder / path).exists() for folder in ("", "harness")]


@clone_only
def test_the_map_has_every_package_and_every_door() -> None:
    tree = PAGE.read_text().split("## The map")[1].split("```")[1]
    shown = {found.rstrip("/") for found in re.findall(r"^  ([\w.]+/?) ", tree, re.MULTILINE)}
    harness = ROOT / "harness"
    packages = {path.parent.name for path in harness.glob("*/__init__.py")}
    doors = {path.name for path in harness.glob("*.py") if not path.name.startswith("__")}
    assert shown == packages | doors


def test_a_scenario_is_a_file_anywhere(run: Run, tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_it_answers(appliance):\n    appliance.status()\n")
    mine = instance(tmp_path / "mine")
    status, said = run(
        str(tmp_path / "test_own.py"), "--gk-instance", str(mine), "--gk-board", "virt", "--collect-only", "-q"
    )
    assert "test_own.py::test_it_answers[virt]" in said
    assert status == 0


def test_an_option_of_one_test_is_a_field_with_its_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class More(wanted.Wanted):
        colour: str = field(
            default="red",
            metadata=wanted.marker("gk_colour", "of its case", arguments="(name)", read=wanted.closest),
        )

    monkeypatch.setattr(markers, "Wanted", More)

    def asked(*marks: str) -> Any:
        found = [SimpleNamespace(args=(mark,)) for mark in marks]
        item: Any = SimpleNamespace(
            nodeid="test_it", iter_markers=lambda name: found if name == "gk_colour" else []
        )
        return markers.wanted_of(item, board("virt"), running=True)

    assert asked().colour == "red"
    assert asked("blue", "green").colour == "blue"


def test_an_option_of_a_run_is_a_field_with_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, kw_only=True)
    class More(options.Settings):
        colour: str = Option("colour", "of the case", metavar="NAME", choices=("red", "blue")).default("red")

    monkeypatch.setattr(options, "Settings", More)
    monkeypatch.setattr(options, "OPTIONS", rows(More))
    parser = Parser(_ispytest=True)
    options.add_options(parser)
    typed = vars(parser.parse(["--gk-colour", "blue"]))
    read: Any = options.settings_from({"gk_colour": typed["gk_colour"]})
    assert read.colour == "blue"
    assert getattr(options.settings_from({}), "colour", "") == "red"
    with pytest.raises(OptionError, match="--gk-colour does not know 'green'"):
        options.settings_from({"gk_colour": "green"})


def test_a_fault_is_a_public_function_that_its_page_must_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "network.py").write_text(
        'def cut_cable(appliance: object) -> None:\n    """The cable is pulled."""\n'
    )
    monkeypatch.setattr(faults, "__path__", [*faults.__path__, str(tmp_path)])
    try:
        assert "network.cut_cable" in verbs()
    finally:
        sys.modules.pop("harness.faults.network", None)


def test_a_command_is_a_module_with_its_lines_in_the_parser(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(asked: argparse.Namespace) -> int:
        print(f"memory: {arguments.settings_of(asked).memory}")
        return 0

    def add(commands: arguments.Commands) -> None:
        added = commands.add_parser("say", help="say what was asked for")
        arguments.options_of("say", added)
        added.set_defaults(run=say, subject=str(ROOT))

    shared = tuple(
        replace(one, commands=(*one.commands, "say")) for one in options.OPTIONS if one.name == "memory"
    )
    monkeypatch.setattr(arguments, "OPTIONS", shared)
    monkeypatch.setattr(cli, "COMMANDS", (*cli.COMMANDS, SimpleNamespace(add=add)))
    assert cli.main(["say", "--memory", "1024"]) == 0
    assert capsys.readouterr().out == "memory: 1024\n"


def test_an_architecture_is_a_row_that_all_others_read() -> None:
    said = subprocess.run(
        [sys.executable, "-c", RISCV], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert said.split() == ["riscv64", "riscv64", "riscv64", "qemu-system-riscv64", "EFI/BOOT/BOOTRISCV64.EFI"]


RISCV = """
from dataclasses import replace
from harness.image import arch

row = replace(
    arch.ARCHITECTURES[1], name="riscv64", machine="riscv64", elf=243, kernel_magic=(0x30, b"RISCV"),
    kernels=("kernel.riscv64",), serial="ttyS0", efi="riscv64", qemu="qemu-system-riscv64",
)
arch.ARCHITECTURES += (row,)

from harness import boards
from harness.build import instance
from harness.image import gobinary, kernel_file

kernel = bytearray(4096)
kernel[0x30:0x35] = b"RISCV"
print(kernel_file.kernel_arch(bytes(kernel)), gobinary._MACHINES[243], instance._KERNEL_ARCH["kernel.riscv64"])
board = replace(boards.board("virt"), arch="riscv64")
print(board.architecture.qemu, board.architecture.efi_loader)
"""
"""A third row, read before any other module is."""

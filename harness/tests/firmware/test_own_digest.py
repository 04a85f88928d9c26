"""The digest of the harness's own firmware changes with whatever may change what a guest finds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import firmware
from harness.firmware.own_digest import code_digest, own_digest

HERE = Path(firmware.__file__).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(HERE, tmp_path / "firmware")


def test_a_copy_of_the_code_has_its_digest(copy: Path) -> None:
    assert code_digest(copy) == own_digest()


@pytest.mark.parametrize("file", sorted(path.relative_to(HERE).as_posix() for path in HERE.rglob("*.py")))
def test_it_changes_with_every_file(copy: Path, file: str) -> None:
    with (copy / file).open("a") as code:
        code.write("# another version\n")
    assert code_digest(copy) != own_digest()


def add_a_file(folder: Path) -> None:
    (folder / "new.py").write_text("")


def add_a_folder(folder: Path) -> None:
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/b/__init__.py").write_text("")


def add_data(folder: Path) -> None:
    (folder / "board.dtbo").write_bytes(b"\xd0\x0d\xfe\xed")


def rename_a_file(folder: Path) -> None:
    (folder / "__init__.py").rename(folder / "other.py")


def remove_a_file(folder: Path) -> None:
    (folder / "__init__.py").unlink()


def exchange_two_files(folder: Path) -> None:
    for old, new in (("bios.py", "third.py"), ("uefi.py", "bios.py"), ("third.py", "uefi.py")):
        (folder / old).rename(folder / new)


@pytest.mark.parametrize(
    "change", [add_a_file, add_a_folder, add_data, rename_a_file, remove_a_file, exchange_two_files]
)
def test_it_changes_with_what_lies_in_the_folder(copy: Path, change: Callable[[Path], None]) -> None:
    change(copy)
    assert code_digest(copy) != own_digest()


def test_what_python_compiled_changes_nothing(copy: Path) -> None:
    for folder in (copy, copy / "below"):
        (folder / "__pycache__").mkdir(parents=True, exist_ok=True)
        (folder / "__pycache__" / "bios.cpython-311.pyc").write_bytes(b"compiled")
    assert code_digest(copy) == own_digest()

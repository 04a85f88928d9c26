"""Which files of this host an instance is built from, and how their changes are seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.build.instance import load_instance
from harness.build.sources import changed, places, states

CONFIG = """{"Hostname": "mine", "Environment": ["GOARCH=arm64"], "Update": {"HTTPPassword": "x"},
"KernelPackage": "github.com/gokrazy/kernel.arm64", "FirmwarePackage": "", "EEPROMPackage": "",
"Packages": ["example.com/mine"],
"PackageConfig": {"example.com/mine": {"ExtraFilePaths": {"/etc/mine.txt": "../extra.txt"}}}}"""


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    module = folder / "builddir/example.com/mine"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module gokrazy/build\nreplace example.com/mine => ../../../../program\n")
    (tmp_path / "program").mkdir()
    (tmp_path / "program/main.go").write_text("package main")
    (tmp_path / "extra.txt").write_text("extra")
    (tmp_path / "neighbour.txt").write_text("of somebody else")
    (folder / "config.json").write_text(CONFIG)
    return folder


def test_a_change_is_seen_wherever_the_image_has_it_from(instance: Path) -> None:
    found = places(load_instance(instance))
    outside = instance.parent
    for path in (
        instance / "config.json",
        outside / "program/main.go",
        outside / "program/new.go",
        outside / "extra.txt",
    ):
        before = states(found)
        with path.open("a") as file:
            file.write("\n// more\n")
        assert [one.resolve() for one in changed(before, states(found))] == [path]
    before = states(found)
    (outside / "program/new.go").unlink()
    assert [one.name for one in changed(before, states(found))] == ["new.go"]


def test_what_no_image_has_is_not_looked_at(instance: Path) -> None:
    found = places(load_instance(instance))
    before = states(found)
    (instance.parent / "neighbour.txt").write_text("changed")
    (instance / ".git").mkdir()
    for name in (".git/index", ".main.go.swp", "main.go~", "4913", ".#main.go"):
        (instance / name).write_text("x")
    (instance / "nowhere").symlink_to("nothing")
    assert changed(before, states(found)) == []


def test_a_file_that_was_written_over_is_another_one(instance: Path) -> None:
    found = places(load_instance(instance))
    path = instance.parent / "program/main.go"
    status = path.stat()
    before = states(found)
    (path.with_suffix(".new")).write_text("package niam")
    os.utime(path.with_suffix(".new"), ns=(status.st_atime_ns, status.st_mtime_ns))
    path.with_suffix(".new").rename(path)
    assert [one.name for one in changed(before, states(found))] == ["main.go"]

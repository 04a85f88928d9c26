"""A copy of an instance: the same from inside, and nothing that is done to it reaches the instance."""

import os
import shutil
from pathlib import Path

import pytest

from harness.build import instance_copy
from harness.build.inputs import folder_digest
from harness.build.instance_copy import copy_instance


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "gokrazy" / "vm"
    (folder / "builddir" / "a.test" / "b").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "builddir" / "a.test" / "b" / "go.mod").write_text("module x\n")
    (tmp_path / "home" / "src").mkdir()
    (tmp_path / "home" / "src" / "main.go").write_text("package main\n")
    return folder


def test_relative_paths_lead_to_the_same_files(instance: Path, tmp_path: Path) -> None:
    copy = copy_instance(instance, tmp_path / "view")
    assert copy == tmp_path / "view" / instance.relative_to("/")
    for start in (Path(), Path("builddir/a.test/b")):
        way = os.path.relpath(tmp_path / "home" / "src" / "main.go", instance / start)
        assert (copy / start / way).read_text() == "package main\n"


def test_what_is_written_into_it_stays_there(instance: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "go.mod").write_text("module shared\n")
    (instance / "builddir" / "c.test").symlink_to(shared)
    (instance / "go.mod").symlink_to(shared / "go.mod")
    (instance / "builddir" / "a.test" / "b" / "go.mod").chmod(0o444)
    before = folder_digest(tmp_path)
    copy = copy_instance(instance, tmp_path.with_name(f"{tmp_path.name}-view"))
    for name in ("go.mod", "builddir/c.test/go.mod", "builddir/a.test/b/go.mod"):
        assert (copy / name).read_text() == (instance / name).read_text()
        (copy / name).write_text("changed")
    (copy / "builddir" / "new").mkdir()
    assert folder_digest(tmp_path) == before


def test_links_stay_links_where_nobody_writes(instance: Path, tmp_path: Path) -> None:
    (instance / "files").symlink_to("../../src")
    (instance / "dangling").symlink_to("nowhere")
    copy = copy_instance(instance, tmp_path / "view")
    assert (copy / "files").readlink() == Path("../../src")
    assert (copy / "files" / "main.go").exists()
    assert (copy / "dangling").is_symlink()


def test_a_link_to_where_it_lies_has_an_end(instance: Path, tmp_path: Path) -> None:
    (instance / "builddir" / "again").symlink_to(instance / "builddir")
    copy = copy_instance(instance, tmp_path / "view")
    assert not (copy / "builddir" / "again").exists()


def test_what_is_large_or_hidden_is_not_copied(
    instance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance_copy, "LARGE", 100)
    (instance / "disk.img").write_bytes(bytes(101))
    (instance / "key").write_bytes(b"k")
    (instance / ".secret").write_bytes(b"s")
    (instance / ".gokharness").mkdir()
    (instance / ".git").mkdir()
    copy = copy_instance(instance, tmp_path / "view")
    assert {path.name: path.is_symlink() for path in copy.iterdir()} == {
        **{"builddir": False, "config.json": False, "key": False, ".secret": False},
        **{"disk.img": True, ".gokharness": True},
    }


def test_to_remove_it_leaves_the_neighbours(instance: Path, tmp_path: Path) -> None:
    before = folder_digest(tmp_path)
    copy_instance(instance, tmp_path / "view")
    shutil.rmtree(tmp_path / "view")
    assert folder_digest(tmp_path) == before

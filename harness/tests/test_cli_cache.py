from __future__ import annotations

from pathlib import Path

import pytest

from harness.build.cache import Cache
from harness.cli import main
from harness.image.digest import content_digest
from harness.store.store import Store


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    def fill(folder: Path) -> dict[str, str]:
        (folder / "state").write_bytes(bytes(range(256)) * 400)
        return {"title": "virt hello 2026"}

    store = Store(tmp_path / "captures")
    store.get("k", fill)
    store.close()
    return tmp_path


def test_what_is_kept_is_shown(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "--cache", str(kept)]) == 0
    said = capsys.readouterr().out
    assert "snapshot: virt hello 2026" in said
    assert "0 images and 1 snapshots" in said


def test_pruning_removes_snapshots_too(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "prune", "--max-gb", "1", "--cache", str(kept)]) == 0
    assert "0 images and 0 snapshots" in capsys.readouterr().out
    assert main(["cache", "prune", "--cache", str(kept)]) == 0
    assert "0 images and 1 snapshots" in capsys.readouterr().out
    assert Store(kept / "captures").entries() == []


def test_an_image_is_named_by_what_it_is_and_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def make(work: Path, disk: Path) -> dict[str, object]:
        disk.write_bytes(bytes(range(256)) * 4000)
        meta = {"hostname": "hello", "arch": "arm64", "build": "2026-07-04T21:19:55Z"}
        return {**meta, "digest": content_digest(disk), "kernel": {"drivers": ["much"] * 99}}

    with Cache(tmp_path) as cache:
        folder = cache.get("k", make).disk.parent
    assert main(["cache", "--cache", str(tmp_path)]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"image: hello arm64 2026-07-04T21:19:55Z: 1 MB in {folder}"
    assert last == f"1 images and 0 snapshots in {tmp_path}"

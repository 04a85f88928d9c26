from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
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

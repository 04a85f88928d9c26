"""What the machine tests share: a run folder of their own, and boards without an appliance."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.machine.run_dir import RunDir


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunDir]:
    # Not below pytest's folder: a path as long as that is not used.
    with tempfile.TemporaryDirectory(prefix="gk-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        with RunDir(work=tmp_path) as made:
            assert made.path.is_relative_to(runtime)
            yield made

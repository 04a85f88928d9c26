from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.console.console import Console


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    made = Console(tmp_path / "console")
    yield made
    made.close()

"""Who builds is said above a run, and why where it might surprise."""

from pathlib import Path

import pytest

from harness.options import Settings
from harness.report.header import header_lines


def builder(settings: Settings) -> str:
    """What the header says of the builder."""
    return header_lines(settings)[1].split("; builder ")[1].split("; ")[0]


@pytest.fixture
def gok(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "gok"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("gok")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(), "gok"),
        (Settings(builder="gok"), "gok"),
        (Settings(builder="own"), "own"),
        (Settings(fast_boot=True, serial=True), "own (gok cannot do --gk-serial, --gk-fast-boot)"),
        (Settings(image=Path("disk.img")), "none (finished image)"),
    ],
)
def test_with_gok_on_path(settings: Settings, said: str) -> None:
    assert builder(settings) == said


@pytest.mark.parametrize(
    ("settings", "said"), [(Settings(), "own (no gok on PATH)"), (Settings(builder="own"), "own")]
)
def test_without_gok(monkeypatch: pytest.MonkeyPatch, settings: Settings, said: str) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert builder(settings) == said

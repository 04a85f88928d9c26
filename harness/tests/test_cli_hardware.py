"""``gokharness hardware``: what it prints, and its exit status. The boots are only played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.lab import matrix
from harness.lab.matrix import Row
from harness.tests.test_plugin import instance

WORKS = Row("virt", asked=True, boots=True, network=True, seconds=8.0)
LACKS = Row("virt:rtl8139", asked=False, boots=True, network=False, lacks="the kernel has no driver 8139cp")
FELL = Row("virt:igb", asked=True, boots=True, network=False, why="nobody answered")


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Type the command, with these rows as what became of it; returns the exit status."""
    mine = instance(tmp_path / "mine")

    def typed(*rows: Row, words: tuple[str, ...] = ()) -> int:
        def played(lab: Any, hardware: tuple[str, ...]) -> list[Row]:
            assert lab.settings.hardware == ()
            lab.journal.say(f"parts: {hardware}")
            return list(rows)

        monkeypatch.setattr(matrix, "matrix", played)
        return main(["hardware", str(mine), "--artifacts", str(tmp_path / "logs"), *words])

    return typed


@pytest.mark.parametrize(("rows", "status"), [([WORKS], 0), ([WORKS, LACKS], 0), ([WORKS, FELL], 1)])
def test_the_status_is_about_what_was_asked_for(typed: Any, rows: list[Row], status: int) -> None:
    assert typed(*rows) == status


def test_parts_that_are_named_are_those_that_are_tried(typed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(WORKS, words=("--hardware", "igb+nvme,ahci")) == 0
    assert "parts: ('nvme+igb', 'ahci')" in capsys.readouterr().out


def test_json_is_all_that_comes_to_standard_output(typed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(WORKS, LACKS, words=("--json",)) == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert [row["board"] for row in said] == ["virt", "virt:rtl8139"]
    assert said[1]["lacks"] == "the kernel has no driver 8139cp"
    assert "parts: ()" in err


def test_an_unknown_part_is_wrong_input_in_the_words_of_the_command(
    typed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(words=("--hardware", "toaster")) == 4
    assert "gokharness: --hardware: there is no part 'toaster'" in capsys.readouterr().err


def test_no_table_begins_where_the_input_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(b"no disk" * 100)
    assert main(["hardware", str(image), "--artifacts", str(tmp_path / "logs")]) == 4
    assert capsys.readouterr().out == ""

"""``gokharness measure``: its table, and what it says of what it cannot measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.commands.measure import table
from harness.lab.sizes import Size


def test_the_table_is_aligned_and_markdown_is_a_table() -> None:
    rows = [
        Size("hello-arm64", "virt", 3.04, 5.5, 5.75, 88.1, 104, 33.2, 9.5),
        Size("hello-arm64", "virt-uefi", root=33.2, bootfs=9.5, why="it does not start"),
    ]
    lines = table(rows).splitlines()
    assert lines[0].endswith("s to HTTP  MiB at rest  least MiB  MiB of root  MiB of boot")
    assert len(lines[0]) == len(lines[1]) == len(lines[2])
    assert lines[2].split() == ["hello-arm64", "virt-uefi", "-", "-", "-", "-", "-", "33.2", "9.5"]
    assert lines[3] == "virt-uefi: it does not start"
    made = table(rows, markdown=True).splitlines()
    assert made[1] == "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert made[2] == "| hello-arm64 | virt | 3.0 | 5.5 | 5.8 | 88.1 | 104 | 33.2 | 9.5 |"


def test_what_is_not_there_is_refused_in_the_words_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", str(tmp_path / "none.img"), "--quick"]) == 4
    said = capsys.readouterr().err
    assert "none.img" in said
    assert "--gk-" not in said

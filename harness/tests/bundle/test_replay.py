"""What ``gokharness replay`` decides before it starts a machine: where to stop, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.bundle import replay as module
from harness.bundle.archive import FIRST, pack
from harness.bundle.manifest import Manifest
from harness.bundle.replay import FAILED, Said, _marked, replay
from harness.bundle.unpacked import Source
from harness.cli import main
from harness.errors import OptionError
from harness.tests.bundle.facts import RECORDED, bare, recorded

CONSOLE = b"[ 0.1] Linux version\r\n[ 1.2] init\r\n[ 3.4] it listens\r\n"
INDEX = [
    {"mark": "power-on 1", "t": 0.0, "at": 0},
    {"t": 0.1, "at": 0, "n": 22},
    {"t": 1.2, "at": 22, "n": 13},
    {"t": 3.4, "at": 35, "n": 19},
]


@pytest.fixture
def said(tmp_path: Path) -> Said:
    (tmp_path / "console.log").write_bytes(CONSOLE)
    (tmp_path / "console.jsonl").write_text("".join(json.dumps(one) + "\n" for one in INDEX))
    return Said.of(tmp_path)


@pytest.mark.parametrize(
    ("until", "place"),
    [("0", 0), ("1", 22), ("1.2", 22), ("1.21", 35), ("init", 33), ("it listens$|init", 33), ("lis", 48)],
)
def test_a_second_or_a_pattern_is_a_place_in_the_console_of_then(said: Said, until: str, place: int) -> None:
    assert said.place(until) == place


@pytest.mark.parametrize(
    ("until", "why"),
    [("3.5", "ends before second 3.5"), ("panic", "never says 'panic'"), ("(", "is no pattern")],
)
def test_what_never_came_is_refused_before_anything_starts(said: Said, until: str, why: str) -> None:
    with pytest.raises(OptionError, match=why):
        said.place(until)


def test_logs_without_a_console_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="lacks the console"):
        Said.of(tmp_path)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (None, ["onetwo", "three"]),
        (103, ["one", FAILED, "two", "three"]),
        (106, ["onetwo", FAILED, "three"]),
        (50, ["onetwo", "three"]),
    ],
)
def test_the_place_where_the_test_failed_is_marked_once(place: int | None, expected: list[str]) -> None:
    shown: list[str] = []
    shows = _marked(
        lambda data: shown.append(data.decode()) if data else None,
        lambda line: shown.append(line.removeprefix("\ngokrazy: ")),
        place,
        100,
    )
    for data in (b"onetwo", b"three"):
        shows(data)
    assert shown == expected


def bundle(tmp_path: Path, made: Manifest, *members: str) -> Path:
    path = tmp_path / "bundle.tar.zst"
    pack(path, {FIRST: made.to_json().encode(), **dict.fromkeys(members, b"x")}, {})
    return path


def test_a_bundle_in_which_nothing_is_recorded_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bundle(tmp_path, bare())
    with pytest.raises(OptionError, match="nothing was recorded") as raised:
        replay(Source(path), until="", gdb=False, say=lambda _: None, show=lambda _: None)
    assert "--gk-record" in raised.value.hint
    assert main(["replay", str(path)]) == 4
    assert "gokharness repro opens this bundle" in capsys.readouterr().err


def test_files_that_it_names_are_in_the_bundle(tmp_path: Path) -> None:
    text = recorded(members=RECORDED[:-1]).to_json().encode()
    with pytest.raises(OptionError, match="execution-3-vars"):
        Manifest.of_json(text, tmp_path)
    assert module.NAME == "replay"

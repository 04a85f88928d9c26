"""Boot times against earlier runs: what is kept, what is compared, and how it is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report import history
from harness.report.charts import WIDTH, charts
from harness.report.document import Document, Test
from harness.report.history import append, earlier
from harness.report.summary import medians

BOOTS = [
    ("virt", "cold", {"kernel": 1.0, "ready": 6.0}),
    ("virt", "cold", {"kernel": 3.0, "ready": 8.0}),
    ("virt", "warm", {"ready": 0.5}),
    ("virt", "off", {}),
]


def test_each_run_is_a_line_and_comes_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "new" / "history"
    assert earlier(file) == []
    append(file, BOOTS)
    append(file, BOOTS[:1])
    append(file, [])
    cold, warm = ("virt", "cold"), ("virt", "warm")
    assert earlier(file) == [
        {cold: {"kernel": 2.0, "ready": 7.0}, warm: {"ready": 0.5}},
        {cold: {"kernel": 1.0, "ready": 6.0}},
    ]
    assert [path.name for path in file.parent.iterdir()] == ["history"]


def test_a_line_that_was_cut_short_loses_itself_only(tmp_path: Path) -> None:
    file = tmp_path / "history"
    append(file, BOOTS)
    with file.open("a") as half:
        half.write('{"when": "2026", "boo\n[]\n{"boots": 3}\n')
    append(file, BOOTS)
    assert len(earlier(file)) == 2


def test_it_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 3)
    for number in range(5):
        append(tmp_path / "history", [("virt", "cold", {"ready": float(number)})])
    assert [run["virt", "cold"]["ready"] for run in earlier(tmp_path / "history")] == [2.0, 3.0, 4.0]


def test_the_chart_has_a_row_a_board_and_start_with_its_phases_in_order() -> None:
    drawn = charts(BOOTS)
    assert [(row["board"], row["start"], row["times"], row["total"]) for row in drawn.rows] == [
        ("virt", "cold", "2 starts", "7.0 s"),
        ("virt", "warm", "1 start", "0.5 s"),
    ]
    cold = drawn.rows[0]
    assert [part["title"] for part in cold["parts"]] == ["kernel: after 2.0 s", "http-200: after 7.0 s"]
    assert drawn.ticks == ["0 s", "2 s", "4 s", "6 s", "8 s"]
    assert float(cold["parts"][1]["x"]) == pytest.approx(WIDTH * 2 / 8)
    assert [float(one) for one in cold["spread"]] == pytest.approx([WIDTH * 6 / 8, WIDTH])
    assert (cold["before"], cold["change"], cold["line"], drawn.compared) == (None, "", None, 0)


def test_the_whisker_spans_what_the_bars_show_and_no_phase_beyond_them() -> None:
    later = [("virt", "cold", {**phases, "panic": 30.0}) for _, start, phases in BOOTS if start == "cold"]
    (row,) = charts(later).rows
    assert [float(one) for one in row["spread"]] == pytest.approx([WIDTH * 6 / 8, WIDTH])
    assert charts([*later, ("virt", "cold", {"panic": 1.0})]).rows[0]["spread"] == row["spread"]


@pytest.mark.parametrize(
    ("factor", "change", "tone"), [(1.0, "+0 %", ""), (2.0, "-50 %", "better"), (0.5, "+100 %", "worse")]
)
def test_it_is_compared_with_the_median_of_earlier_runs(factor: float, change: str, tone: str) -> None:
    now = medians(BOOTS)
    past = [
        {key: {phase: at * factor * noise for phase, at in phases.items()} for key, phases in now.items()}
        for noise in (1.0, 0.1, 10.0)
    ]
    drawn = charts(BOOTS, [*past, {("raspi4b", "cold"): {"ready": 99.0}}])
    assert (drawn.rows[0]["change"], drawn.rows[0]["tone"], drawn.compared) == (change, tone, 3)
    assert drawn.rows[0]["line"]["count"] == 4
    assert len(drawn.rows[0]["line"]["points"].split()) == 4


def test_a_cold_start_has_its_limit_beside_it() -> None:
    tests = [Test("a", "passed", story={"limits": {"virt": limit}}) for limit in (60.0, 90.0)]
    drawn = charts(BOOTS, limits=Document(tests=[*tests, Test("b", "skipped")]).limits)
    assert [row["times"] for row in drawn.rows] == ["2 starts, limit 90 s", "1 start"]


def test_no_boots_no_chart() -> None:
    assert charts([]).rows == []
    assert charts([("virt", "off", {})]).rows == []


def test_a_phase_keeps_its_colour_where_others_were_not_reached() -> None:
    drawn = charts([("virt", "warm", {"ready": 0.4}), ("virt", "cold", {"kernel": 1.0, "ready": 9.0})])
    assert drawn.phases == [(1, "kernel"), (6, "http-200")]
    assert {part["number"] for row in drawn.rows for part in row["parts"]} == {1, 6}

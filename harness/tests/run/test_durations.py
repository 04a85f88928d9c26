"""How long tests took: kept, merged, and used for an estimate."""

from pathlib import Path

import pytest

from harness.run import durations
from harness.run.outcome import Outcome


def test_durations_are_kept_and_merged(tmp_path: Path) -> None:
    durations.keep(tmp_path, [Outcome("a", "passed", 61.0), Outcome("b", "skipped", 9.0)])
    durations.keep(tmp_path, [Outcome("c", "failed", 59.0)])
    known = durations.load(tmp_path)
    assert known.here == {"a": 61.0, "c": 59.0}
    assert durations.estimate(["a", "c"], known) == "2 tests, about 2 min (as they took before)"
    assert durations.estimate(["a", "new"], known) == "2 tests, about 1 min (1 of them guessed)"
    assert durations.estimate(["new"], {}) == "1 test, about 1 min (guessed)"


@pytest.mark.parametrize("damaged", ["", "[]", "{", '{"a": "soon"}'])
def test_damaged_durations_are_none(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "durations.json").write_text(damaged)
    assert durations.load(tmp_path).here == {}


def test_a_scenario_that_never_ran_here_takes_what_it_took_elsewhere(tmp_path: Path) -> None:
    name = "test_update.py::test_update_flips_the_slot_and_back_and_keeps_the_data[pc-bios]"
    known = durations.load(tmp_path)
    assert known[f"anywhere/scenarios/{name}"] > 60
    durations.keep(tmp_path, [Outcome(f"scenarios/{name}", "passed", 7.0)])
    assert durations.load(tmp_path)[f"scenarios/{name}"] == 7.0
    assert "scenarios/test_other.py::test_x" not in known


def test_a_path_among_the_parameters_of_a_test_is_no_folder_of_it() -> None:
    known = durations.Known({}, {"test_a.py::test_it[~/gokrazy/hello --list]": 3.0})
    assert known["harness/tests/test_a.py::test_it[~/gokrazy/hello --list]"] == 3.0
    assert dict(known) == {"test_a.py::test_it[~/gokrazy/hello --list]": 3.0}

"""A copy of the instances to work in, the table at the end, and what becomes of a run."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.package_data import images_folder
from harness.tests.others.cells import Expected
from harness.tests.others.run import Result, row, troubles

COLUMNS = ("passed", "failed", "errors", "n/a", "seconds")
ROW = "others_row"

Judge = Callable[[str, Result, Expected], None]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of all instances, with the kernel of one's own in it, and a configuration folder for all of them."""
    folder = tmp_path_factory.mktemp("others")
    shutil.copytree(images_folder(), folder / "images")
    kernel = folder / "images/others/kernel-folder/kernel"
    version = (folder / "images/others/vendor/builddir/go.mod").read_text("utf-8")
    module = next(line.split() for line in version.splitlines() if "kernel.arm64" in line)
    told = subprocess.run(
        ["go", "mod", "download", "-json", "@".join(module)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run([kernel / "take", json.loads(told.stdout)["Dir"]], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        yield folder


@pytest.fixture
def judge(record_property: Callable[[str, object], None]) -> Judge:
    """Fail with all that is not as expected; the run's figures go into the table whatever becomes of it."""

    def judged(name: str, result: Result, expected: Expected) -> None:
        found = troubles(result, expected)
        verdict = "wrong" if found else "as it must be"
        record_property(ROW, json.dumps({"name": name, "verdict": verdict, **row(result)}))
        assert not found, "\n".join(["", *found, "", *result.output.splitlines()[-40:]])

    return judged


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a run, what was not applicable and why, and a closing verdict."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    rows = [json.loads(value) for report in reports for name, value in report.user_properties if name == ROW]
    if not rows:
        return
    terminalreporter.section("others")
    width = max(len(entry["name"]) for entry in rows)
    write = terminalreporter.write_line
    write(f"{'':{width}} {' '.join(f'{name:>7}' for name in COLUMNS)}")
    for entry in sorted(rows, key=lambda entry: entry["name"]):
        figures = " ".join(f"{entry[name]:>7}" for name in COLUMNS)
        write(f"{entry['name']:{width}} {figures}  {entry['verdict']}")
        if entry["why"]:
            write(f"{'':{width}}   not applicable: {entry['why']}")
    wrong = sum(entry["verdict"] == "wrong" for entry in rows)
    total = {name: sum(int(entry[name]) for entry in rows) for name in COLUMNS}
    came = ", ".join(f"{total[name]} {name}" for name in ("passed", "failed", "errors"))
    write(f"others: {len(rows)} runs, {wrong} of them wrong; tests: {came}, {total['n/a']} not applicable")

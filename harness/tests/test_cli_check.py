"""The command check: how its flags reach pytest."""

from __future__ import annotations

import pytest

from harness import cli


def test_a_flag_that_may_be_repeated_reaches_pytest_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []

    def run(arguments: list[str], _plugins: object) -> int:
        given.append(arguments)
        return 0

    monkeypatch.setattr(pytest, "main", run)
    row = r"hot: noted: zone (\d+) is hot -> zone {1} is hot"
    status = cli.main(
        [
            "check",
            "images/hello-amd64",
            "--allow",
            "segfault: a",
            "--allow",
            "oom-kill: b: c",
            "--console-check",
            row,
        ]
    )
    assert status == 0
    for flag in ("--gk-allow=segfault: a", "--gk-allow=oom-kill: b: c", f"--gk-console-check={row}"):
        assert flag in given[0]

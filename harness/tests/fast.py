"""A developer's loop: the tests that are known to be quick, then the slow ones that touch what was changed."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from harness.run.durations import short
from harness.tests.sources import git, imported

ROOT = Path(__file__).parents[2]
SLOW: Mapping[str, float] = json.loads((Path(__file__).parent / "durations.json").read_text("utf-8"))
"""Seconds of each test that takes 0.3 or more: most start a machine, a compiler, a browser or a pytest."""


def changed_files(root: Path) -> set[Path]:
    """What differs from the branch that this one is made for, committed or not; raises CalledProcessError."""
    try:
        base = git(root, "merge-base", "HEAD", "@{upstream}").strip()
    except subprocess.CalledProcessError:
        base = "HEAD"
    names = git(root, "diff", "--name-only", base) + git(root, "ls-files", "-o", "--exclude-standard")
    return {root / name for name in names.splitlines()}


def touches(test: Path, changed: Iterable[Path], root: Path = ROOT) -> bool:
    """Whether a file of tests was changed, or imports a module that was."""
    files = set(changed)
    if test in files:
        return True
    modules = {".".join(file.relative_to(root).with_suffix("").parts) for file in files if file.suffix == ".py"}
    modules = {name.removesuffix(".__init__") for name in modules}
    return not modules.isdisjoint(imported(ast.parse(test.read_text("utf-8")), modules=True))


def choose(
    items: Sequence[pytest.Item], changed: Iterable[Path], slow: Mapping[str, float] = SLOW, root: Path = ROOT
) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """What runs, in its order, and what is left out: the slow tests of what was not changed."""
    files = set(changed)
    known = {file: touches(file, files, root) for file in {item.path for item in items}}
    seconds = {item: slow.get(short(item.nodeid), 0.0) for item in items}
    left_out = [item for item in items if seconds[item] and not known[item.path]]
    runs = [item for item in items if not seconds[item] or known[item.path]]
    return sorted(runs, key=seconds.__getitem__), left_out

"""What tests ask of the project's own sources, and of throw-away repositories that hold some."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path


def imported(tree: ast.AST, *, modules: bool = False) -> Iterator[str]:
    """Every name that is imported anywhere in a module, whole: ``harness.console.lines.Line``.

    With ``modules`` those that names are taken from as well: ``harness.console.lines``.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno} imports by dots: write the whole name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            if modules and node.module:
                yield node.module


def git(root: Path, *words: str) -> str:
    """What git prints in a repository, as somebody; raises CalledProcessError."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(root), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout

"""Whose a test is: in somebody else's tests, what is called ``board`` may be anything."""

from __future__ import annotations

import pytest

PLUGIN = f"{__name__.partition('.')[0]}.plugin"
"""Where our fixtures are: under the name by which this package was loaded."""


def needs_appliance(item: pytest.Item) -> bool:
    """Whether a test runs on a board of ours."""
    return isinstance(item, pytest.Function) and is_our_board(item)


def is_our_board(function: pytest.Function) -> bool:
    """Whether what a test calls ``board`` is our fixture, or made of it."""
    found = function._fixtureinfo.name2fixturedefs.get("board", ())
    ours = any(one.func.__module__ == PLUGIN for one in found)
    return ours and (found[-1].func.__module__ == PLUGIN or "board" in found[-1].argnames)


def chooses_boards(function: pytest.Function) -> bool:
    """Whether a test says by a parametrize mark what its ``board`` is."""
    return any("board" in _names(mark) for mark in function.iter_markers("parametrize"))


def _names(mark: pytest.Mark) -> list[str]:
    """The arguments that a parametrize mark gives."""
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


def fixtures_of(item: pytest.Item) -> list[str]:
    """The names of all fixtures that a test takes, also those that others take for it."""
    return item.fixturenames if isinstance(item, pytest.Function) else []

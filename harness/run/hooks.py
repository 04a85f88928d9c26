"""The hooks that a user's plugin or conftest.py may have, and what becomes of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import OptionError

if TYPE_CHECKING:
    import pytest

    from harness.console.check import Check
    from harness.options import Settings


def pytest_gokrazy_console_checks() -> Sequence[Check]:  # type: ignore[empty-body]
    """Return checks of the console that come before the built-in ones."""


def with_checks(settings: Settings, config: pytest.Config) -> Settings:
    """The options with the checks of the hooks before their own; raises OptionError."""
    answers: list[Sequence[Check]] = config.hook.pytest_gokrazy_console_checks()
    if answers:
        from harness.console.own_checks import own_checks

        try:
            checks = own_checks([*(one for answer in answers for one in answer), *settings.console_check])
        except OptionError as error:
            raise OptionError(error.what, where="pytest_gokrazy_console_checks", hint=error.hint) from None
        settings = replace(settings, console_check=checks)
    if settings.allow:
        try:
            settings.table  # noqa: B018  it raises
        except OptionError as error:
            raise OptionError(f"--gk-allow: {error.what}", hint=error.hint) from None
    return settings

"""A scenario of the project as a function, for tests that give it an appliance which is broken."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable

import pytest

from harness.appliance.appliance import Appliance
from harness.package_data import scenarios_folder

BOOTS = "boot:test_the_appliance_boots_from_power_on_to_its_web_interface"


def scenario(name: str) -> Callable[..., None]:
    """A scenario's own function, such as ``boot:test_...``."""
    module, function = name.split(":")
    found: Callable[..., None] = runpy.run_path(str(scenarios_folder() / f"test_{module}.py"))[function]
    return found


def as_pytest_would(body: Callable[..., None], appliance: Appliance) -> None:
    """The fixture's part, then the scenario's."""
    appliance.power_on()
    appliance.wait_until_ready()
    body(appliance)


def must_be_red(body: Callable[[], object], error: type[BaseException], words: str) -> None:
    """Run it: it must raise this error, and ``words`` is a pattern in what it says."""
    with pytest.raises(error) as caught:
        body()
    # A plain assertion has no text of its own here: the statement that failed speaks for it.
    said = f"{caught.value}\n{caught.traceback[-1].statement}"
    assert re.search(words, said), said

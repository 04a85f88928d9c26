"""A scenario of the project as a function, for tests that give it an appliance which is broken."""

from __future__ import annotations

import runpy
from collections.abc import Callable

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

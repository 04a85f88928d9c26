"""What gok needs to talk to an appliance of this run."""

from __future__ import annotations

from harness.appliance.gok_config import GokConfig, Reached
from harness.build.gok_config import write_for_building, write_for_talking
from harness.build.instance import find_instance
from harness.build.subject import is_image
from harness.errors import OptionError


def gok_config(source: str, reached: Reached) -> GokConfig:
    """Write it for an appliance whose image was made of ``source``; raises OptionError, ConfigError."""
    if not source or is_image(source):
        raise OptionError(
            "gok works with an instance, and the appliance runs a finished image",
            where=source,
            hint="test its instance instead: --gk-instance",
        )
    instance = find_instance(source)
    where = reached.url, reached.password
    return GokConfig(
        write_for_building(instance, *where, reached.folder / "builds"),
        write_for_talking(instance, *where, reached.folder / "talks"),
    )

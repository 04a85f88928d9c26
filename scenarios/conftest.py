"""What the scenarios share beyond the plugin's fixtures."""

import pytest

from harness.build.probe import build_probe
from harness.errors import ToolMissing


@pytest.fixture
def probe(appliance, tmp_path):
    """A small static program for the appliance's architecture, built from the project's own source."""
    try:
        return build_probe(appliance.image.arch, tmp_path / "probe")
    except ToolMissing as error:
        pytest.skip(f"this host has no Go to build the probe with: {error.what}")

"""What the tests of images share."""

from pathlib import Path

import pytest

from harness.tests.image import synthetic


@pytest.fixture(scope="session")
def small_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small but complete gokrazy disk for amd64; do not write to it."""
    folder = tmp_path_factory.mktemp("small-image")
    return synthetic.write_image(folder / "amd.raw", folder)


@pytest.fixture(scope="session")
def reference() -> Path:
    """Dumps of real images."""
    return Path(__file__).parent.parent / "data" / "reference"

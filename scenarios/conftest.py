"""What the scenarios share beyond the plugin's fixtures."""

import pytest
import requests

from harness.boards import boards
from harness.build.probe import build_probe
from harness.errors import ToolMissing
from harness.lab.equipment import own_ports
from harness.plugin import LAB, SETTINGS

NOTE = "/perm/gokharness-note"


def pytest_collection_modifyitems(config, items):
    """The project's own image is what others are compared with: it is not slower than itself."""
    own = [one for one in items if one.name.startswith("test_it_boots_no_slower_than_its_limit")]
    if own and config.stash[SETTINGS].is_own:
        config.hook.pytest_deselected(items=own)
        items[:] = [one for one in items if one not in own]


@pytest.fixture
def probe(appliance, tmp_path):
    """A small static program for the appliance's architecture, built from the project's own source."""
    try:
        return build_probe(appliance.image.arch, tmp_path / "probe")
    except ToolMissing as error:
        pytest.skip(f"this host has no Go to build the probe with: {error.what}")


@pytest.fixture
def foreign_image(request, board):
    """The project's own image ``hello`` for another architecture than the board's."""
    lab = request.config.stash[LAB]
    if not lab.settings.is_own:
        pytest.skip("not applicable: it needs the project's own image for another architecture")
    other = next(one for one in boards() if one.arch != board.arch and not one.boot_files)
    return lab.images.image(other, "hello")


@pytest.fixture
def hello():
    """Gets a page from the program that the project's own images run: ``hello(appliance, "/clock")``."""
    (port,) = own_ports()

    def page(appliance, path):
        answer = requests.get(appliance.url(str(port), path), timeout=appliance.budget.service)
        answer.raise_for_status()
        return answer.text

    return page


@pytest.fixture
def leave_note():
    """A function that leaves a note in /perm, and returns one that checks that the note is still there.

    Where the image has no breakglass or no /perm, there is no note, and the report says what was left out.
    """

    def leave(appliance, text, *, looks_at="whether data in /perm is kept"):
        applies = appliance.applies(looks_at, "breakglass", "perm")
        if applies:
            with appliance.breakglass() as rescue:
                rescue.put_bytes(text, NOTE)

        def check_note():
            if applies:
                with appliance.breakglass() as rescue:
                    assert rescue.get_bytes(NOTE) == text

        return check_note

    return leave

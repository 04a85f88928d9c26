"""What the scenarios share beyond the plugin's fixtures."""

import hashlib
import json
from pathlib import Path

import pytest
import requests

from harness.appliance.limits import Limits
from harness.boards import boards
from harness.build.extrafiles import configured
from harness.build.instance import load_instance
from harness.build.probe import build_probe
from harness.errors import ToolMissing
from harness.lab.equipment import own_ports
from harness.lab.sizes import own_image, slower
from harness.package_data import images_folder
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
def extra_files():
    """Gives the digests of the files that an image's instance has in ExtraFilePaths."""

    def digests(image):
        extras = configured(load_instance(image.instance)) if image.instance else []
        # What comes out of an archive is not named one by one.
        files = [one.origin for one in extras if isinstance(getattr(one.node, "content", None), Path)]
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]

    return digests


@pytest.fixture
def lab(request):
    """What the tests of this process share."""
    return request.config.stash[LAB]


@pytest.fixture
def most(lab, board):
    """Gives the limit of this name (gk_limits); skips where there is none."""
    limits = lab.settings.most
    if limits == Limits() and lab.settings.is_own:
        name = lab.images.image(board, "hello").hostname
        limits = Limits(**json.loads((images_folder() / "limits.json").read_text("utf-8"))[name])

    def limit(name):
        if getattr(limits, name) is None:
            pytest.skip(f"not applicable: no limit is set for it (gk_limits, {name}: NUMBER)")
        return getattr(limits, name)

    return limit


@pytest.fixture
def beside_own(lab):
    """Boots an appliance's image and the project's own by turns, until one is slower or is not."""

    def compare(appliance, limit):
        board = appliance.board
        return slower(lab, board, (appliance.image, own_image(lab, board)), limit)

    return compare


@pytest.fixture
def foreign_image(lab, board):
    """The project's own image ``hello`` for another architecture than the board's."""
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

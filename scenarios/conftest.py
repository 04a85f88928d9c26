"""What the scenarios share beyond the plugin's fixtures."""

import pytest
import requests

from harness.build.own_program import build_own_program
from harness.errors import ToolMissing
from harness.lab.equipment import own_ports

NOTE = "/perm/gokharness-note"


@pytest.fixture
def own_program(tmp_path):
    """Builds one of the project's own programs for an architecture: ``own_program("visitor", "arm64")``."""

    def build(name, arch):
        try:
            return build_own_program(name, arch, tmp_path / name)
        except ToolMissing as error:
            pytest.skip(f"this host has no Go to build {name} with: {error.what}")

    return build


@pytest.fixture
def probe(appliance, own_program):
    """A small static program for the appliance's architecture, built from the project's own source."""
    return own_program("probe", appliance.image.arch)


@pytest.fixture
def hello():
    """Gets a page from the program that the project's own images run: ``hello(appliance, "/clock")``."""
    port, *_ = own_ports()

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

"""What the scenarios share beyond the plugin's fixtures."""

import json
import platform
import subprocess

import pytest
import requests

from harness.build.go import GoToolchain
from harness.build.own_program import build_own_program
from harness.errors import ToolMissing
from harness.image.arch import of_machine
from harness.image.digest import content_digest
from harness.image.model import Extent
from harness.lab.equipment import own_ports

NOTE = "/perm/gokharness-note"
TABLES = 34 * 512
"""Bytes before the first partition: boot code, both partition tables."""


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


@pytest.fixture
def go(appliance):
    """Go's own tools on this host: ``go("pprof", "-top", file)``."""
    try:
        return GoToolchain.find(arch=appliance.image.arch, build_env={}).tool
    except ToolMissing as error:
        pytest.skip(f"this host has no Go to look at profiles with: {error.what}")


@pytest.fixture
def stock(own_program):
    """The small program around github.com/gokrazy/updater; ``appliance.update_with(image, stock)``."""
    program = own_program("stock-update", of_machine(platform.machine()))

    def update(order):
        what = {"URL": order.url, "Password": order.password, "Kexec": True}
        what |= {"Root": str(order.files.root), "Boot": str(order.files.boot), "MBR": str(order.files.mbr)}
        done = subprocess.run([program], input=json.dumps(what), capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr

    return update


def read_partitions(appliance, folder):
    """What is on the disk of an appliance that is off, but /perm, as digests."""
    layout = appliance.image.layout
    places = {name: getattr(layout, name) for name in ("boot", "root_a", "root_b")}
    found = {}
    for name, place in {"tables": Extent(0, TABLES), **places}.items():
        part = appliance.power.overlay.extract(place, folder / name)
        found[name] = content_digest(part)
        part.unlink()
    return found


@pytest.fixture
def partitions(tmp_path):
    """Reads what is on the disk of an appliance that is off, but /perm, as digests: ``partitions(appliance)``."""
    return lambda appliance: read_partitions(appliance, tmp_path)

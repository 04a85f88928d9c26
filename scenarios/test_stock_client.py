"""The client library that gokrazy itself publishes updates the device as ours does, byte for byte."""

import json
import platform
import subprocess

import pytest

from harness.image.arch import of_machine
from harness.image.digest import content_digest
from harness.image.model import Extent

pytestmark = [
    pytest.mark.gk_tier("ci"),
    pytest.mark.gk_board("virt"),
    pytest.mark.gk_reboots,
    pytest.mark.gk_uploads,
    pytest.mark.gk_needs("http", "update", "disk", "slot", "checkpoint"),
]

TABLES = 34 * 512
"""Bytes before the first partition: boot code, both partition tables."""


@pytest.fixture
def stock(own_program):
    """The small program around github.com/gokrazy/updater; ``appliance.update_with(image, stock)``."""
    program = own_program("stock-update", of_machine(platform.machine()))

    def update(order):
        what = {"URL": order.url, "Password": order.password, "Kexec": True}
        what |= {"Root": str(order.files.root), "Boot": str(order.files.boot), "MBR": str(order.files.mbr)}
        done = subprocess.run([program], input=json.dumps(what), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr

    return update


def test_both_clients_flip_the_device_and_leave_the_same_partitions(appliance, next_image, stock, tmp_path):
    before = appliance.slot
    appliance.checkpoint("before")
    left = []
    for update in (appliance.update, lambda image: appliance.update_with(image, stock)):
        appliance.rewind("before")
        update(next_image)
        flipped = appliance.slot
        assert flipped != before
        assert appliance.runs(next_image)
        appliance.cut_power()
        assert appliance.read_boot_files().slots == {flipped}
        left.append(partitions(appliance, tmp_path))
    ours, theirs = left
    assert theirs == ours
    assert ours["root_a"] != ours["root_b"]


def partitions(appliance, folder):
    """What is on the disk but /perm, as digests: the tables, the boot partition, both root partitions."""
    layout = appliance.image.layout
    places = {name: getattr(layout, name) for name in ("boot", "root_a", "root_b")}
    found = {}
    for name, place in {"tables": Extent(0, TABLES), **places}.items():
        part = appliance.power.overlay.extract(place, folder / name)
        found[name] = content_digest(part)
        part.unlink()
    return found

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from harness.appliance.checkpoints import Checkpoints, CheckpointState
from harness.boards import board
from harness.errors import OptionError
from harness.image.model import Image
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.power import Power
from harness.tests.boards.no_snapshots import no_snapshots

STATE = CheckpointState(None, None, Image.__new__(Image))


def disk(folder: Path) -> DiskOverlay:
    return DiskOverlay(folder / "disk.qcow2", None, 0, [])


class Played:
    """A Power that only notes where its disk is."""

    def __init__(self, folder: Path, *, on: bool = True, can_capture: bool = True, name: str = "virt") -> None:
        self.board = board(name) if can_capture else no_snapshots(name)
        self.is_on = on
        self.recorder: object = None
        self.overlay = disk(folder)
        self.overlay.path.touch()

    def checkpoint(self, folder: Path) -> Path:
        self.overlay.path.rename(folder / "disk.qcow2")
        # The one that took its place has been moved away as well.
        (folder / "between").mkdir()
        self.overlay = disk(folder / "between")
        return folder

    def rewind(self, capture: Path, folder: Path) -> None:
        assert (capture / "disk.qcow2").exists()
        self.overlay = disk(folder)
        self.overlay.path.touch()


def checkpoints(tmp_path: Path, **given: Any) -> Checkpoints:
    return Checkpoints(cast(Power, Played(tmp_path, **given)), tmp_path)


def test_rewinding_again_and_again_leaves_one_disk_beside_those_that_are_kept(tmp_path: Path) -> None:
    points = checkpoints(tmp_path)
    points.keep("one", STATE)
    heard: list[CheckpointState] = []
    for _ in range(3):
        assert points.rewind("one", heard.append) == STATE
    points.keep("two", STATE)
    points.rewind("two", heard.append)
    points.rewind("one", heard.append)
    assert heard == [STATE] * 5
    assert len(list(tmp_path.rglob("disk.qcow2"))) == 3
    points.close()
    assert not tmp_path.exists()


def test_a_board_that_cannot_be_frozen_says_so(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="QEMU cannot freeze the board virt") as caught:
        checkpoints(tmp_path, can_capture=False).keep("here", STATE)
    assert "cold_boot" in caught.value.hint


def test_a_board_whose_network_would_be_unplugged_says_so(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot freeze the board raspi4b"):
        checkpoints(tmp_path, name="raspi4b").keep("here", STATE)


def test_an_appliance_that_is_off_has_no_memory_to_keep(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="that is off"):
        checkpoints(tmp_path, on=False).keep("here", STATE)


def test_an_unknown_name_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    points = checkpoints(tmp_path)
    with pytest.raises(OptionError) as caught:
        points.rewind("there", lambda _: None)
    assert caught.value.hint == "checkpoints of this appliance: none"
    points.keep("here", STATE)
    with pytest.raises(OptionError) as caught:
        points.rewind("there", lambda _: None)
    assert caught.value.hint == "checkpoints of this appliance: 'here'"

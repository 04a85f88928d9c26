"""What is kept of an execution before it begins, and what its machine refuses to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import OptionError, QemuFailed
from harness.firmware.stage import Loaded
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.execution_log import Recorder, beginning, must_be_logged


@pytest.fixture
def overlay(tmp_path: Path) -> DiskOverlay:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(b"at the start")
    return DiskOverlay(path, tmp_path / "disk.img", 1 << 20, (path, tmp_path / "disk.img"))


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    folder = tmp_path / "recorded"
    folder.mkdir()
    return Recorder(folder)


def test_each_execution_keeps_what_it_began_with(tmp_path: Path, overlay: DiskOverlay, recorder: Recorder) -> None:
    variables = tmp_path / "uefi-vars.fd"
    variables.write_bytes(b"as they were")
    with beginning(recorder, overlay, Loaded(append="ro", vars=variables)) as log:
        assert log is not None
        assert log.mode == "record"
        log.path.write_bytes(b"\0\xe0\x20\x0c and so on")
    overlay.path.write_bytes(b"at the end")
    variables.write_bytes(b"as they are")
    with beginning(recorder, overlay, Loaded()):
        pass
    first, second = recorder.executions
    assert {name: path.read_bytes() for name, path in first.files.items()} == {
        "execution-1-log": b"\0\xe0\x20\x0c and so on",
        "execution-1-disk.qcow2": b"at the start",
        "execution-1-vars.fd": b"as they were",
    }
    assert (first.append, second.append, second.vars) == ("ro", None, None)
    assert second.disk.path.read_bytes() == b"at the end"
    assert (first.is_whole, second.is_whole) == (True, False)


def test_a_log_that_qemu_did_not_end_is_not_whole(overlay: DiskOverlay, recorder: Recorder) -> None:
    with beginning(recorder, overlay, Loaded()) as log:
        assert log is not None
        log.path.write_bytes(bytes(12) + b"what was logged")
    assert not recorder.executions[0].is_whole


def test_what_never_began_is_no_execution(overlay: DiskOverlay, recorder: Recorder) -> None:
    with pytest.raises(QemuFailed), beginning(recorder, overlay, Loaded()):
        raise QemuFailed("QEMU did not start")
    assert recorder.executions == []
    with beginning(recorder, overlay, Loaded()):
        pass
    assert [one.number for one in recorder.executions] == [2]
    recorder.forget()
    assert not recorder.folder.exists()


def test_without_a_recorder_nothing_is_logged(overlay: DiskOverlay) -> None:
    with beginning(None, overlay, Loaded()) as log:
        assert log is None


def test_what_no_log_contains_is_refused() -> None:
    must_be_logged("query-status")
    with pytest.raises(OptionError, match="takes no set_link") as raised:
        must_be_logged("set_link")
    assert "--gk-record" in raised.value.hint

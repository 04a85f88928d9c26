from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness import boards
from harness.host import doctor
from harness.host.doctor import Line
from harness.tests.host.conftest import MadeUpHost


def accelerator(names: Sequence[str], modules: Path, cache: Path) -> list[Line]:
    assert names
    return [Line("Accelerator", "ok", "amd64 guests", "tcg: KVM was tried and did not run a guest")]


def test_a_complete_host_is_ready(host: MadeUpHost) -> None:
    report = doctor.examine(host, accelerator)
    assert [line for line in report.lines if line.state == "missing"] == []
    assert report.ready
    assert report.boards == boards.names()
    assert doctor.as_text(report).splitlines()[-1].startswith("This host is ready: pc-bios,")


def test_without_arm64_firmware_the_other_boards_stay_possible(host: MadeUpHost) -> None:
    del host.files["/usr/share/AAVMF/AAVMF_CODE.fd"]
    report = doctor.examine(host, accelerator)
    assert set(report.boards) == set(boards.names()) - {"virt-uefi"}
    assert not report.ready
    (line,) = [line for line in report.lines if line.name == "virt-uefi"]
    assert line.state == "missing"
    assert line.detail == "UEFI firmware, arm64: no /usr/share/AAVMF/AAVMF_CODE.fd"
    assert line.mend == "apt-get install -y --no-install-recommends qemu-efi-aarch64"


def test_without_qemu_nothing_is_tried_and_nothing_is_possible(host: MadeUpHost) -> None:
    del host.programs["qemu-system-x86_64"], host.programs["qemu-system-aarch64"]

    def must_not_run(names: Sequence[str], modules: Path, cache: Path) -> list[Line]:
        raise AssertionError("the accelerator was tried without a QEMU")

    report = doctor.examine(host, must_not_run)
    assert report.boards == ()
    assert "no board is possible" in report.verdict


def test_each_miss_says_what_mends_it(host: MadeUpHost) -> None:
    host.programs.clear()
    host.files = {"/etc/os-release": host.files["/etc/os-release"]}
    host.env = {"HOME": "/nowhere"}
    report = doctor.examine(host, accelerator)
    missing = [line for line in report.lines if line.state == "missing"]
    assert len(missing) > 10
    assert [line.name for line in missing if not line.mend] == []


def test_an_untried_system_is_a_note_and_no_failure(host: MadeUpHost) -> None:
    host.files["/etc/os-release"] = 'ID=ubuntu\nVERSION_ID="26.04"\nPRETTY_NAME="Ubuntu 26.04 LTS"\n'
    report = doctor.examine(host, accelerator)
    assert report.ready
    assert report.lines[0].state == "note"
    assert "unverified" in report.lines[0].detail


def test_another_kernel_is_unsupported(host: MadeUpHost) -> None:
    host.kernel = "Darwin"
    report = doctor.examine(host, accelerator)
    assert not report.ready
    assert "unsupported" in report.lines[0].detail


def test_text_is_aligned_and_ends_with_verdict_and_next_step(host: MadeUpHost) -> None:
    del host.programs["mke2fs"]
    text = doctor.as_text(doctor.examine(host, accelerator)).splitlines()
    rows = [row for row in text if row.startswith(("  ok", "  note", "  missing"))]
    width = max(len(line.name) for line in doctor.examine(host, accelerator).lines)
    assert all(row[10 : 10 + width].strip() and row[10 + width : 12 + width] == "  " for row in rows)
    assert text[-1].startswith("Something is missing; possible as it is: pc-bios")
    assert "Next: " in text[-1]


@pytest.mark.parametrize(("broken", "status"), [(False, 0), (True, 12)])
def test_the_exit_status_and_json_agree(
    host: MadeUpHost, broken: bool, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "try_accelerator", accelerator)
    if broken:
        del host.programs["go"]
        monkeypatch.setattr("sys.prefix", "/nowhere")
    out = io.StringIO()
    assert doctor.run(True, out, host=host) == status
    told = json.loads(out.getvalue())
    assert told["ready"] is (status == 0)
    assert {"section", "state", "name", "detail", "mend"} == set(told["lines"][0])


def test_the_next_step_without_a_checkout_is_a_command_that_runs_here() -> None:
    lost = doctor.Line("Programs", "missing", "mke2fs", "it is not on PATH", "apt-get install e2fsprogs")
    verdict, step = doctor.conclude((), [lost], setup=None, for_root=True)
    assert "missing" in verdict
    assert "-m harness.host.requirements --commands" in step


@pytest.mark.parametrize(
    ("lost", "step"),
    [
        (("systemd-boot, arm64", "goes into arm64 images", "fetch it"), "fetch it"),
        (("artifacts", "/ro: not writable for this user", ""), "mend artifacts: /ro: not writable for this user"),
    ],
)
def test_where_no_package_is_missing_the_next_step_installs_none(lost: tuple[str, str, str], step: str) -> None:
    line = doctor.Line("Room", "missing", *lost)
    for setup in (None, Path("ci/setup")):
        assert doctor.conclude(("virt",), [line], setup, for_root=False)[1] == step


def test_an_artifacts_folder_that_takes_nothing_is_the_next_step(
    host: MadeUpHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = doctor.Line("Room", "missing", "artifacts", "/ro: not writable for this user")
    monkeypatch.setattr(doctor, "folder_line", lambda *_: lost)
    assert doctor.examine(host, accelerator).next_step == "mend artifacts: /ro: not writable for this user"


def test_the_accelerator_is_tried_with_the_newest_kernel_of_its_architecture(tmp_path: Path) -> None:
    for name in ("kernel.amd64@v1", "kernel.amd64@v2", "kernel.arm64@v3"):
        (tmp_path / "github.com/gokrazy" / name).mkdir(parents=True)
        (tmp_path / "github.com/gokrazy" / name / "vmlinuz").touch()
    find = doctor.newest_kernel(tmp_path, "amd64")
    assert find is not None
    assert find() == tmp_path / "github.com/gokrazy/kernel.amd64@v2/vmlinuz"
    assert doctor.newest_kernel(tmp_path / "none", "amd64") is None

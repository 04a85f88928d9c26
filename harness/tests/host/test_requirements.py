from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import boards
from harness.host import debian, requirements
from harness.host.debian import Source
from harness.host.host import Host, system
from harness.host.requirements import parse_version
from harness.host.table import GO_MINIMUM, table
from harness.image.arch import ARCHITECTURES
from harness.image.hosttool import PACKAGES
from harness.tests.host.conftest import MadeUpHost

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("said", "version"),
    [
        (
            "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright (c) 2003-2025",
            (10, 0, 2),
        ),
        ("qemu-img version 7.2.19 (Debian 1:7.2+dfsg-7+deb12u15)", (7, 2, 19)),
        ("sqfstar version 4.5.1 (2022/03/17)\ncopyright (C) 2022", (4, 5, 1)),
        ("mke2fs 1.47.0 (5-Feb-2023)\n\tUsing EXT2FS Library version 1.47.0", (1, 47, 0)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27rc1 linux/amd64", (1, 27)),
        ("command not understood", ()),
        ("", ()),
    ],
)
def test_a_version_is_read_out_of_what_a_program_says(said: str, version: tuple[int, ...]) -> None:
    assert parse_version(said) == version


def test_nothing_is_missing_on_a_complete_host(host: MadeUpHost, capsys: pytest.CaptureFixture[str]) -> None:
    assert requirements.main(["--missing"], host) == 0
    assert capsys.readouterr().out == ""
    assert requirements.main(["--commands"], host) == 0
    assert capsys.readouterr().out == ""


def test_what_is_missing_is_named_with_its_purpose_and_package(
    host: MadeUpHost, capsys: pytest.CaptureFixture[str]
) -> None:
    del host.programs["mke2fs"]
    host.modules.clear()
    assert requirements.main(["--missing"], host) == 12
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("python3 venv")
    assert "python3-venv" in lines[0]
    assert re.fullmatch(r"mke2fs +missing: formats /perm \(Debian package e2fsprogs\)", lines[1])


def test_the_tests_need_more_than_use_does(host: MadeUpHost, capsys: pytest.CaptureFixture[str]) -> None:
    assert requirements.main(["--missing", "--for", "use"], host) == 0
    assert requirements.main(["--missing", "--for", "tests"], host) == 12
    missing = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert missing == {"mcopy", "fsck.fat", "sfdisk", "dtc", "fdtoverlay", "zstd", "chromium", "DejaVu"}
    assert requirements.main(["--commands", "--for", "tests"], host) == 0
    packages = capsys.readouterr().out.splitlines()[-1].split("--no-install-recommends ")[1]
    assert packages == "mtools dosfstools fdisk device-tree-compiler zstd chromium fonts-dejavu-core"


def test_one_of_two_files_is_not_enough(host: MadeUpHost) -> None:
    del host.files["/usr/share/OVMF/OVMF_VARS_4M.fd"]
    found = [finding for finding in requirements.examine_all(host) if not finding.ok]
    assert [finding.trouble for finding in found] == ["no /usr/share/OVMF/OVMF_VARS_4M.fd"]


def test_a_program_that_prints_no_version_does_not_pass(host: MadeUpHost) -> None:
    host.programs["qemu-img"] = "error while loading shared libraries"
    assert [finding.trouble for finding in requirements.examine_all(host) if not finding.ok] == [
        "does not print its version"
    ]


def test_debian_13_takes_all_from_its_own_suite(host: MadeUpHost) -> None:
    host.programs["qemu-system-x86_64"] = "QEMU emulator version 7.2.19"
    del host.programs["unsquashfs"], host.programs["mksquashfs"]
    assert requirements.commands(requirements.examine_all(host), host) == (
        "apt-get update",
        "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends qemu-system-x86 squashfs-tools",
    )


def test_debian_12_takes_only_qemu_from_backports(debian_12: MadeUpHost, monkeypatch: pytest.MonkeyPatch) -> None:
    release = Source(
        ("http://mirror.test/debian",), ("bookworm", "bookworm-updates"), ("main", "contrib"), "/k.gpg"
    )
    monkeypatch.setattr(debian, "read_sources", lambda host: [release])
    debian_12.programs["qemu-img"] = "qemu-img version 7.2.19"
    del debian_12.programs["unsquashfs"]
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
    assert requirements.commands(requirements.examine_all(debian_12), debian_12) == (
        "printf '%s\\n' 'Types: deb' 'URIs: http://mirror.test/debian' 'Suites: bookworm-backports' "
        "'Components: main' 'Signed-By: /k.gpg' > /etc/apt/sources.list.d/bookworm-backports.sources",
        "apt-get update",
        f"{install} squashfs-tools",
        f"{install} -t bookworm-backports qemu-utils",
    )


def test_another_system_is_given_no_commands(host: MadeUpHost) -> None:
    host.files["/etc/os-release"] = "ID=fedora\nVERSION_ID=44\n"
    del host.programs["unsquashfs"]
    assert requirements.commands(requirements.examine_all(host), host) == ()


def test_each_board_has_its_qemu_in_the_table_and_asks_for_no_newer_one() -> None:
    minimum = {row.name: row.minimum for row in table("amd64")}
    for board in boards.boards():
        assert minimum[board.qemu] >= board.min_qemu


def test_firmware_is_looked_for_where_the_machine_finds_it() -> None:
    rows = {row.name: row for row in table("amd64")}
    for arch in ARCHITECTURES:
        row = rows[f"UEFI firmware, {arch.name}"]
        assert [(str(files.code), str(files.vars)) for files in arch.edk2] == [row.files, *row.elsewhere]


def test_firmware_of_another_distribution_does_as_well(host: MadeUpHost) -> None:
    del host.files["/usr/share/AAVMF/AAVMF_CODE.fd"]
    host.files["/usr/share/edk2/aarch64/QEMU_CODE.fd"] = host.files["/usr/share/edk2/aarch64/QEMU_VARS.fd"] = ""
    (found,) = [
        finding for finding in requirements.examine_all(host) if finding.requirement.name == "UEFI firmware, arm64"
    ]
    assert found.ok
    assert found.where == "/usr/share/edk2/aarch64/QEMU_CODE.fd"


def test_the_programs_that_images_are_made_with_are_in_the_table() -> None:
    rows = {row.name for row in table("amd64")}
    source = "".join(path.read_text() for path in (ROOT / "harness" / "image").glob("*.py"))
    used = {program for program in PACKAGES if re.search(rf'[\[(]"{program}", ', source)}
    assert {"mksquashfs", "unsquashfs", "debugfs", "qemu-img"} <= used
    assert used <= rows


def test_the_go_that_the_instances_need_is_read_from_their_modules(tmp_path: Path) -> None:
    for name, line in (("old", "go 1.20"), ("new", "go 1.31.2")):
        (tmp_path / name / "builddir").mkdir(parents=True)
        (tmp_path / name / "builddir" / "go.mod").write_text(f"module x\n\n{line}\n\nrequire a.test/b v1.2.3\n")
    assert requirements.go_minimum(tmp_path) == (1, 31, 2)
    assert requirements.go_minimum(tmp_path / "none") == GO_MINIMUM


def test_a_go_that_is_too_old_is_not_taken(host: MadeUpHost) -> None:
    assert requirements.find_go(host).where == "/usr/bin/go"
    found = requirements.find_go(host, (1, 27))
    assert found.trouble == "1.26.8 is too old, 1.27 is needed"


def test_the_table_can_be_read_from_a_checkout_before_anything_is_installed() -> None:
    # As ``python3 -m harness.host.requirements`` in the checkout, with no package but the standard library's.
    run = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    run += "runpy.run_module('harness.host.requirements', run_name='__main__', alter_sys=True)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", run, str(ROOT), "--commands"],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": "/nowhere"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if system(Host()).id == "debian":
        assert "apt-get install" in done.stdout

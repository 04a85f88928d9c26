"""The plugin from outside: what a pytest run with it says, and its exit status. No QEMU is started here."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TEN_LINES = """
import pytest

def test_boots(appliance):
    assert appliance.status().hostname == "mine"

@pytest.mark.gk_board("virt")
def test_only_there(appliance):
    pass

@pytest.mark.gk_tier("nightly")
def test_at_night(appliance):
    pass

@pytest.mark.gk_any_firmware
def test_anywhere(appliance):
    pass
"""

CONFIG = """{"Hostname": "mine", "Environment": ["GOARCH=arm64"], "Update": {"HTTPPassword": "x"},
"KernelPackage": "github.com/gokrazy/kernel.arm64", "FirmwarePackage": "", "EEPROMPackage": "",
"SerialConsole": "ttyAMA0,115200", "Packages": []}"""


QEMU = """#!/bin/sh
case "$*" in
    *-version) echo "QEMU emulator version 10.0.2" ;;
    *help) echo "Supported machines are:"; echo "virt-9.0 played" ;;
esac
"""


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(pytester: pytest.Pytester, tmp_path: Path) -> Run:
    """Run pytest in a process of its own, with nothing on PATH that could start a machine."""
    pytester.makepyfile(test_mine=TEN_LINES)

    def run(*arguments: str, path: str = str(tmp_path)) -> tuple[int, str]:
        environment = {**os.environ, "PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        environment.pop("PYTEST_ADDOPTS", None)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=pytester.path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def instance(folder: Path, config: str = CONFIG) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(config)
    return folder


def test_help_lists_every_option_and_needs_no_qemu(run: Run) -> None:
    status, said = run("--help")
    assert status == 0
    for option in ("--gk-instance", "--gk-image", "--gk-board", "--gk-warm", "--gk-ssh-key"):
        assert option in said


def test_collecting_needs_no_qemu_and_lists_each_board(run: Run) -> None:
    status, said = run("--collect-only", "-q")
    assert status == 0, said
    for name in ("pc-bios", "pc-uefi", "virt"):
        assert f"test_boots[{name}]" in said
    assert "test_only_there[virt]" in said
    assert "test_only_there[pc-bios]" not in said
    assert "test_at_night" not in said


@pytest.mark.parametrize("arguments", [("--help",), ("--collect-only", "-q")], ids=" ".join)
def test_what_starts_machines_is_not_loaded_before_a_machine_is_needed(
    run: Run, pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    of_machines = ("harness.machine.", "harness.lab.starts", "harness.appliance.appliance")
    pytester.makepyfile(
        loaded=f"""
        import sys

        def pytest_unconfigure(config):
            print("LOADED", [name for name in sys.modules if name.startswith({of_machines})])
        """
    )
    status, said = run("-p", "loaded", *arguments)
    assert status == 0, said
    # The options of machines, and the type of a port, are plain data.
    found = set(said.partition("LOADED ")[2].partition("]")[0].strip("[").replace("'", "").split(", "))
    assert found == {"harness.machine.options", "harness.machine.ports"}


def test_a_test_for_another_board_is_left_out_and_not_skipped(run: Run) -> None:
    status, said = run("--collect-only", "-q", "--gk-board=pc-uefi")
    assert status == 0, said
    assert "test_boots[pc-uefi]" in said
    assert "test_only_there" not in said
    assert "deselected" in said


def test_what_is_not_about_firmware_runs_once_an_architecture_and_everywhere_at_night(run: Run) -> None:
    said = run("--collect-only", "-q")[1]
    assert "test_anywhere[pc-bios]" in said
    assert "test_anywhere[virt]" in said
    assert "test_anywhere[pc-uefi]" not in said
    assert "test_anywhere[pc-uefi]" in run("--collect-only", "-q", "--gk-board=pc-uefi")[1]
    assert "test_anywhere[pc-uefi]" in run("--collect-only", "-q", "--gk-tier=all")[1]


def test_hardware_is_not_firmware(run: Run) -> None:
    said = run("--collect-only", "-q", "--gk-board=pc-bios,pc-uefi", "--gk-hardware=igb,e1000")[1]
    anywhere = [line for line in said.splitlines() if "test_anywhere" in line]
    assert [line.partition("::")[2] for line in anywhere] == [
        "test_anywhere[pc-bios:igb]",
        "test_anywhere[pc-bios:e1000]",
    ]


def test_each_board_that_can_has_the_parts_of_the_run_and_the_others_are_named(run: Run) -> None:
    status, said = run("--collect-only", "-q", "--gk-board=virt,pc-bios:igb", "--gk-hardware=pc+nvme")
    assert status == 0, said
    assert "test_boots[pc-bios:nvme+igb+pc]" in said
    assert "[virt" not in said
    assert "left out: virt:nvme+pc: virt cannot have pc: only a PC has it" in said


def test_uploads_are_left_out_where_the_network_is_slow(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="import pytest\n@pytest.mark.gk_uploads\ndef test_sends(appliance): pass")
    said = run("--collect-only", "-q", "--gk-board=raspi-virt,raspi4b")[1]
    assert "test_sends[raspi-virt]" in said
    assert "test_sends[raspi4b]" not in said
    assert "1 deselected" in said


def test_a_marker_with_an_unknown_board_is_an_error(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=TEN_LINES.replace('gk_board("virt")', 'gk_board("vrit")'))
    status, said = run("--collect-only", "-q")
    assert status == 2
    assert "there is no board 'vrit'" in said


def test_the_other_tier(run: Run) -> None:
    status, said = run("--collect-only", "-q", "--gk-tier", "nightly")
    assert status == 0
    assert "test_at_night[virt]" in said
    assert "test_boots" not in said


def test_only_the_boards_that_fit_the_instance(run: Run, tmp_path: Path) -> None:
    status, said = run("--collect-only", "-q", f"--gk-instance={instance(tmp_path / 'mine')}")
    assert status == 0, said
    assert "test_boots[virt]" in said
    assert "pc-bios" not in said


def test_an_instance_with_the_firmware_of_a_raspberry_pi_runs_on_its_boards(run: Run, tmp_path: Path) -> None:
    of_a_pi = CONFIG.replace('"KernelPackage": "github.com/gokrazy/kernel.arm64", "FirmwarePackage": "", ', "")
    assert of_a_pi != CONFIG
    folder = instance(tmp_path / "mine", of_a_pi)
    status, said = run("--collect-only", "-q", f"--gk-instance={folder}")
    assert status == 0, said
    assert all(f"test_boots[{name}]" in said for name in ("raspi-virt", "raspi3b", "raspi4b"))
    assert "test_boots[virt]" not in said
    assert "test_anywhere[raspi-virt]" in said
    assert "test_anywhere[raspi4b]" not in said


def test_the_ini_twin_of_an_option(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngk_board = virt-uefi\n")
    status, said = run("--collect-only", "-q")
    assert status == 0, said
    assert "test_boots[virt-uefi]" in said
    assert "test_boots[virt]" not in said


def test_what_services_are_expected_to_do_stands_in_a_file_as_it_is_written(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\ngk_must_run = hello, /user/web\ngk_expect =\n  wifi: restarts\n  job: ends\n")
    status, said = run("--collect-only", "-q", "--gk-board=virt")
    assert status == 0, said
    pytester.makeini("[pytest]\ngk_expect = wifi: falls\n")
    status, said = run("--collect-only", "-q", "--gk-board=virt")
    assert status == 4
    assert "--gk-expect does not know 'wifi:falls'" in said


def test_checks_of_the_console_stand_in_a_file_as_they_are_written(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini(
        "[pytest]\ngk_console_check =\n  modem-lost: fatal: modem: no (\\S+) -> no {1} there\n"
        "  hot: noted: too hot\n"
        "gk_allow =\n  modem-lost: there is none here\n  oom-kill: too big\n"
    )
    pytester.makeconftest(
        "def pytest_sessionstart(session):\n"
        "    from harness import plugin\n"
        "    table = session.config.stash[plugin.SETTINGS].table\n"
        "    print([(one.name, one.pattern, one.meaning) for one in table.checks[:3]], table.excused)\n"
        "def pytest_gokrazy_console_checks():\n"
        "    from harness.console.check import Check, Severity\n"
        "    return [Check('from-hook', 'x', 'y', Severity.NOTED)]\n"
    )
    status, said = run("--collect-only", "-q", "-s", "--gk-board=virt")
    assert status == 0, said
    assert r"[('from-hook', 'x', 'y'), ('modem-lost', 'modem: no (\\S+)', 'no {1} there'), ('hot'," in said
    assert "{'modem-lost': 'there is none here', 'oom-kill': 'too big'}" in said


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("['x']", "'x' is no console check"),
        ("[Check('oom-kill', 'x', 'y', Severity.NOTED)]", "two console checks named 'oom-kill'"),
    ],
)
def test_a_bad_answer_of_a_hook_is_a_usage_error(
    run: Run, pytester: pytest.Pytester, answer: str, message: str
) -> None:
    pytester.makeconftest(
        "from harness.console.check import Check, Severity\n"
        f"def pytest_gokrazy_console_checks():\n    return {answer}\n"
    )
    status, said = run("--collect-only", "-q", "--gk-board=virt")
    assert status == 4
    assert message in said
    assert "pytest_gokrazy_console_checks" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gk-console-check=x"], "--gk-console-check: 'x' is no console check"),
        (["--gk-console-check=x: noted: (y"], "--gk-console-check: the pattern '(y'"),
        (["--gk-allow=nonsense: why"], "--gk-allow: there is no console check named nonsense"),
        (["--gk-allow=oom-kill"], "--gk-allow: 'oom-kill' does not say why"),
        (["--gk-board=toaster"], "there is no board 'toaster'"),
        (["--gk-board=virt:toaster"], "there is no part 'toaster'"),
        (["--gk-hardware=nvme+ahci"], "--gk-hardware: nvme and ahci are two of a kind (disk)"),
        (["--gk-board=virt,raspi4b", "--gk-hardware=q35"], "virt cannot have q35: only a PC has it"),
        (["--gk-time-factor=0"], "--gk-time-factor"),
        (["--gk-instance=/nowhere/at/all"], "/nowhere/at/all"),
        (["--gk-instance=a", "--gk-image=b"], "two things to test"),
        (["--gk-image=/nowhere.img"], "/nowhere.img"),
        (["--gk-forward=80/sctp"], "--gk-forward: '80/sctp' is not a port"),
        (["--gk-memory=64"], "--gk-memory: '64' is not a number of MiB"),
        (["--gk-disk=/nowhere.img"], "--gk-disk: there is no file '/nowhere.img'"),
        (
            ["--gk-board=raspi3b,raspi4b", "--gk-memory=512"],
            "raspi3b cannot have 512 MiB of memory: it has",
        ),
    ],
)
def test_wrong_input_is_one_usage_error(run: Run, arguments: list[str], message: str) -> None:
    status, said = run(*arguments)
    assert status == 4, said
    assert message in said
    assert "Traceback" not in said


def test_arguments_of_one_s_own_for_qemu_are_warned_of(run: Run) -> None:
    _, said = run("--gk-qemu-arg=-d", "--gk-qemu-arg=int", "--collect-only")
    assert "WARNING: with --gk-qemu-arg, the machine is no longer the board as documented" in said
    assert "WARNING" not in run("--collect-only")[1]


def test_memory_that_one_of_the_boards_takes_is_no_error(run: Run) -> None:
    status, said = run("--gk-board=raspi-virt,raspi3b", "--gk-memory=512", "--collect-only")
    assert status == 0, said


def test_a_board_that_does_not_fit_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    status, said = run(f"--gk-instance={instance(tmp_path / 'mine')}", "--gk-board=pc-bios")
    assert status == 4
    assert "built for arm64" in said


def test_an_instance_without_firmware_is_refused_by_a_raspberry_pi(run: Run, tmp_path: Path) -> None:
    status, said = run(f"--gk-instance={instance(tmp_path / 'mine')}", "--gk-board=raspi-virt")
    assert status == 4, said
    assert "raspi-virt: it has no FirmwarePackage" in said
    assert "boards that can: virt-uefi, virt" in said


def test_a_broken_config_is_one_usage_error_with_line_and_path(run: Run, tmp_path: Path) -> None:
    folder = instance(tmp_path / "mine", CONFIG.replace('["GOARCH=arm64"]', '"GOARCH=arm64"'))
    status, said = run(f"--gk-instance={folder}")
    assert status == 4, said
    assert "config.json:1" in said
    assert "$.Environment" in said


def test_without_qemu_the_status_is_12_and_says_what_to_install(run: Run) -> None:
    status, said = run("--gk-board=virt")
    assert status == 12, said
    assert "qemu-system-arm" in said


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_qemu_on_a_worker_the_status_is_12_too(run: Run, workers: str) -> None:
    status, said = run("--gk-board=virt", "-n", workers)
    assert status == 12, said
    assert "qemu-system-arm" in said
    assert "INTERNALERROR" not in said


@pytest.mark.parametrize(("kernel", "expected"), [([], 12), (["--gk-kernel=/nowhere/at/all"], 4)])
def test_what_stops_a_run_stops_its_workers_with_the_same_status(
    run: Run, tmp_path: Path, kernel: list[str], expected: int
) -> None:
    mine = instance(tmp_path / "mine")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "qemu-system-aarch64").write_text(QEMU)
    (programs / "go").write_text("#!/bin/sh\nexit 1\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    arguments = [f"--gk-instance={mine}", "--gk-board=virt", "--gk-builder=own", *kernel]
    path = f"{programs}:/usr/bin:/bin"
    assert run(*arguments, path=path)[0] == expected
    status, said = run(*arguments, "-n", "1", path=path)
    assert status == expected, said
    assert "INTERNALERROR" not in said


def test_tests_without_an_appliance_are_left_alone(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="def test_plain(): pass")
    status, said = run()
    assert status == 0
    assert "1 passed" in said
    pytester.makepyfile(test_mine="import pytest\ndef test_plain(): pytest.skip('not today')")
    assert run()[0] == 0


def test_workers_are_dealt_the_longest_tests_first(run: Run, pytester: pytest.Pytester) -> None:
    names = ("test_short", "test_unknown", "test_long")
    pytester.makepyfile(test_mine="".join(f"def {name}(): pass\n" for name in names))
    folder = pytester.path / ".gokharness"
    folder.mkdir()
    known = {"test_mine.py::test_short": 1.0, "test_mine.py::test_long": 99.0}
    (folder / "durations.json").write_text(json.dumps(known))

    def order(*arguments: str) -> list[str]:
        status, said = run("-v", *arguments)
        assert status == 0, said
        return [line.split("::")[1].split()[0] for line in said.splitlines() if "PASSED" in line]

    assert order("-n", "1", "--maxschedchunk", "1") == ["test_long", "test_short", "test_unknown"]
    assert order() == list(names)

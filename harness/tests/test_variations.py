"""Variations of an instance and of a run that users have, each through the boot scenarios on ``virt``."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.package_data import images_folder, scenarios_folder

pytestmark = pytest.mark.gk_tier("nightly")


def boot_scenarios(folder: Path, *options: str, status: int = 0, **config: object) -> str:
    """Run the boot scenarios against hello-arm64 with some settings changed; returns what pytest said.

    ``status`` is what it must end with.
    """
    shutil.copytree(images_folder(), folder / "images")
    file = folder / "images/hello-arm64/config.json"
    settings = json.loads(file.read_text())
    for name, value in config.items():
        settings[name] = {**settings[name], **value} if isinstance(value, dict) else value
    file.write_text(json.dumps(settings, indent=4))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(folder), "-rA"),
            *("--gk-instance", str(file.parent), "--gk-board=virt", *options),
            str(scenarios_folder() / "test_boot.py"),
        ],
        cwd=folder,
        env={**os.environ, "XDG_CONFIG_HOME": str(folder / "config")},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_an_appliance_with_a_self_signed_certificate(tmp_path: Path) -> None:
    said = boot_scenarios(tmp_path, Update={"UseTLS": "self-signed"})
    assert "6 passed" in said
    assert list(tmp_path.glob("config/gokrazy/hosts/*/cert.pem"))


def test_an_appliance_on_another_port(tmp_path: Path) -> None:
    assert "6 passed" in boot_scenarios(tmp_path, Update={"HTTPPort": "8123"})


def test_a_blank_perm(tmp_path: Path) -> None:
    said = boot_scenarios(tmp_path, "--gk-perm=blank")
    # The run's key goes to /perm, so breakglass cannot be entered.
    assert re.search(r"[1-9] passed, 2 skipped", said)
    assert "breakglass looks for its keys in /perm, which is blank" in said


def test_cold_starts_only(tmp_path: Path) -> None:
    said = boot_scenarios(tmp_path, "--gk-warm=off")
    assert "6 passed" in said
    assert not re.search(r"^virt +warm", said, re.MULTILINE)


def test_fast_boot(tmp_path: Path) -> None:
    assert "6 passed" in boot_scenarios(tmp_path, "--gk-fast-boot", KernelExtraArgs=["rootdelay=4"])


@pytest.mark.parametrize(
    ("console", "why"),
    [
        ("", "its serial console is serial0, a name that only a Raspberry Pi's firmware replaces"),
        ("ttyS0,115200", "its serial console is ttyS0, and the serial port of virt is ttyAMA0"),
        ("disabled", "its kernel has no serial console (SerialConsole is disabled)"),
    ],
)
def test_a_console_that_is_no_port_of_the_board_is_done_without(tmp_path: Path, console: str, why: str) -> None:
    said = boot_scenarios(tmp_path, SerialConsole=console)
    assert "5 passed, 1 skipped" in said
    assert f"is tested without its console: {why}" in said
    assert "no kernel" not in said


def test_a_kernel_that_writes_to_the_port_where_init_does_not(tmp_path: Path) -> None:
    said = boot_scenarios(tmp_path, KernelExtraArgs=["console=tty1"])
    assert "5 passed, 1 skipped" in said
    assert "init writes to tty1: of its consoles (tty1, ttyAMA0, tty1), ttyAMA0 is not the last one" in said
    # Its kernel is heard all the same.
    assert re.search(r"^virt +cold +1 +[0-9.]+ +[0-9.]+ +[0-9.]+ +- ", said, re.MULTILINE)


def test_a_quiet_kernel_at_another_baud_rate(tmp_path: Path) -> None:
    said = boot_scenarios(tmp_path, SerialConsole="ttyAMA0,9600", KernelExtraArgs=["quiet"])
    assert "6 passed" in said
    assert "its kernel is told to be quiet, so the console begins with init" in said


def test_an_appliance_without_a_password(tmp_path: Path) -> None:
    said = boot_scenarios(tmp_path, Update={"NoPassword": True})
    assert "1 passed, 5 skipped" in said
    assert "the web interface listens on a Unix socket of the device only (NoPassword)" in said
    assert "no address" not in said


def test_an_appliance_that_asks_for_no_address_is_red_with_that_reason(tmp_path: Path) -> None:
    dhcp = {"github.com/gokrazy/gokrazy/cmd/dhcp": {"DontStart": True}}
    said = boot_scenarios(tmp_path, status=1, PackageConfig=dhcp)
    why = "nothing asked for one: the instance does not start gokrazy's DHCP client (cmd/dhcp has DontStart)"
    assert f"no address that others reach: {why}" in said
    assert f"hello-arm64 on virt may get no address: {why}" in said
    assert "waited 1 s" not in said


def test_one_that_dies_again_and_again_where_nobody_hears_it_is_red(tmp_path: Path) -> None:
    said = boot_scenarios(tmp_path, status=1, SerialConsole="", KernelExtraArgs=["init=/no/such/init"])
    assert "the machine started 3 times and never came up; why it did not is not heard: its serial" in said
    assert "no kernel" not in said

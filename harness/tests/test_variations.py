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

from harness.shipped import images_folder, scenarios_folder

pytestmark = pytest.mark.gk_tier("nightly")


def boot_scenarios(folder: Path, *options: str, **config: object) -> str:
    """Run the boot scenarios against hello-arm64 with some settings changed; returns what pytest said."""
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
    assert done.returncode == 0, done.stdout + done.stderr
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

"""Use without a clone: ten lines in somebody's repository, and a wheel in an empty environment."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.package_data import images_folder, scenarios_folder
from harness.tests.outside import ROOT, clean_environment, programs_of_the_wheel

pytestmark = pytest.mark.gk_tier("ci")

TEN_LINES = """
import requests


def test_it_greets(appliance):
    assert "hello-arm64" in requests.get(appliance.url(8080)).text


def test_the_counter_survives_a_power_cut(appliance):
    with appliance.breakglass() as rescue:
        rescue.run("wget -q -O- --post-data= http://127.0.0.1:8080/counter")
    appliance.cut_power()
    appliance.power_on()
    appliance.wait_until_ready()
    assert requests.get(appliance.url(8080, "/counter")).text.strip() == "1"
"""


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Run it in a folder that is no clone; returns what it printed, and fails with it."""
    clean = clean_environment(**environment)
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.gk_tier("nightly")
def test_ten_lines_in_somebody_else_s_repository(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TEN_LINES)
    instance = images_folder() / "hello-arm64"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\ngk_instance = {instance}\ngk_forward = 8080\n")
    said = run([sys.executable, "-m", "pytest", "--gk-board=virt", "--junitxml=out.xml"], tmp_path)
    assert "2 passed" in said
    properties = {
        found.get("name"): found.get("value") for found in ET.parse(tmp_path / "out.xml").iter("property")
    }
    assert properties["gk_board"] == "virt"
    assert properties["gk_builder"] in ("own", "gok")


def test_the_wheel_checks_an_instance_from_an_empty_environment(tmp_path: Path) -> None:
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("not a clone: there is nothing to build a wheel from")
    programs = programs_of_the_wheel(tmp_path)
    packages = next((programs.parent / "lib").glob("python*/site-packages"))
    assert not (packages / "harness/tests").exists()
    instance = packages / "harness/data/images/hello-arm64"

    check = [str(programs / "gokharness"), "check", str(instance), "--board", "virt"]
    listed = run([*check, "--list"], tmp_path)
    assert "test_the_web_interface_asks_for_the_password[virt]" in listed
    assert "tests, about" in listed
    # All of one start: the snapshot's.
    picked = "test_boot and not settle and not from_power_on"
    said = run([*check, "--junit", "out.xml", "--", "-k", picked], tmp_path)
    assert "passed" in said
    assert "report:" in said
    assert int(next(ET.parse(tmp_path / "out.xml").iter("testsuite")).get("tests", "0")) >= 4


@pytest.mark.gk_tier("nightly")
def test_an_instance_without_a_serial_console_is_normal(tmp_path: Path) -> None:
    shutil.copytree(images_folder(), tmp_path / "images")
    config = tmp_path / "images/hello-arm64/config.json"
    config.write_text(config.read_text().replace('"ttyAMA0,115200"', '"disabled"'))
    said = run(
        [
            *(sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(tmp_path), "-k", "test_boot"),
            *("--gk-instance", str(config.parent), "--gk-board=virt", "-rs", str(scenarios_folder())),
        ],
        tmp_path,
    )
    assert re.search(r"\b1 skipped\b", said)
    reason = "init is not heard on the console: its kernel has no serial console"
    assert f"skipped   1x  not applicable: {reason}" in said
    assert "failed" not in said


@pytest.mark.gk_tier("nightly")
def test_a_packed_image_is_checked_and_updated_to_from_an_older_one(tmp_path: Path) -> None:
    # What it prints for others comes first, what it says meanwhile goes to stderr.
    built = run([sys.executable, "-m", "harness", "build", str(images_folder() / "hello-arm64")], tmp_path)
    packed = tmp_path / "candidate.img.gz"
    with Path(built.splitlines()[0]).open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    check = [sys.executable, "-m", "harness", "check", str(packed), "--from", str(images_folder() / "hello-arm64")]
    said = run([*check, "--board", "virt", "--", "-k", "released or asks_for"], tmp_path)
    assert "2 passed" in said

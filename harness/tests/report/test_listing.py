"""What a run would be is shown without what would be left out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.build.instance import load_instance
from harness.lab.foreseen import foreseen
from harness.report.listing import listing
from harness.tests.image.synthetic import write_image

TESTS = """
import pytest

def test_boots(appliance): pass

@pytest.mark.gk_needs("breakglass")
def test_rescue(appliance): pass

@pytest.mark.gk_needs("breakglass")
def test_rescue_again(appliance): pass
"""


def test_the_estimate_is_for_what_is_not_left_out() -> None:
    lines = listing(
        {"a": "", "b": "no key", "c": "no key", "d": ""}, {"a": 60.0, "b": 600.0, "c": 600.0, "d": 60.0}
    )
    assert lines == [
        "  60.0 s  a",
        "  60.0 s  d",
        "left out   2x  no key",
        "2 tests, about 2 min (as they took before)",
    ]


def test_a_list_of_a_finished_image_names_what_it_lacks(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.img", tmp_path / "parts", arch="arm64")
    (tmp_path / "test_mine.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--gk-list", f"--gk-image={image}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search("left out   2x  not applicable: .*key", done.stdout), done.stdout
    assert "1 test, about 1 min (guessed)" in done.stdout


@pytest.mark.parametrize(
    ("config", "needs", "serial", "reason"),
    [
        ('"Packages": []', ("breakglass",), False, "not applicable: the image has no breakglass"),
        ('"Packages": ["github.com/gokrazy/breakglass"]', ("breakglass",), False, ""),
        ('"Packages": ["github.com/gokrazy/breakglass"]', ("breakglass-shell",), False, ""),
        ('"Packages": []', ("breakglass-shell",), False, "not applicable: the image has no breakglass"),
        ('"SerialConsole": "disabled"', ("console",), False, "not applicable: init is not heard on the console"),
        ('"SerialConsole": "off"', ("console",), False, "not applicable: init is not heard on the console"),
        ('"SerialConsole": "disabled"', ("console",), True, ""),
        (
            '"SerialConsole": "disabled"',
            ("serial-shell",),
            False,
            "not applicable: there is no shell on the console",
        ),
        ('"Packages": []', ("serial-shell",), False, "not applicable: the image has no shell on a serial console"),
        ('"Packages": []', ("http", "slot", "perm", "ready"), False, ""),
        (
            '"Update": {"NoPassword": true}',
            ("http",),
            False,
            "not applicable: the web interface listens",
        ),
        (
            '"Update": {"NoPassword": true}, "Packages": ["github.com/gokrazy/breakglass"]',
            ("breakglass",),
            False,
            "not applicable: breakglass is started over HTTP",
        ),
    ],
)
def test_config_json_tells_before_the_image_is_built(
    config: str, needs: tuple[str, ...], serial: bool, reason: str, tmp_path: Path
) -> None:
    update = "" if "Update" in config else ', "Update": {"HTTPPassword": "x"}'
    pc = '"Environment": ["GOARCH=amd64"], "KernelPackage": "github.com/gokrazy/kernel.amd64"'
    text = f'{{"Hostname": "h", {pc}, {config}{update}}}'
    (tmp_path / "config.json").write_text(text)
    reason_given = foreseen(load_instance(tmp_path), needs, serial=serial)
    assert reason_given.startswith(reason) if reason else not reason_given

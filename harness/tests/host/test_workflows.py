"""The workflow templates: nothing is published by accident, and nothing is installed that is not there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = ROOT / "ci" / "workflows"
pytestmark = pytest.mark.skipif(not WORKFLOWS.is_dir(), reason="not a clone: there are no workflows")


def test_only_a_person_publishes() -> None:
    text = (WORKFLOWS / "publish.yml").read_text()
    triggers = re.search(r"^on:\n((?:[ ].*\n)+)", text, re.MULTILINE)
    assert triggers is not None
    assert re.findall(r"^  (\w+):", triggers[1], re.MULTILINE) == ["workflow_dispatch"]
    # The right to publish is that of the one job that does nothing else, and there is no secret to lose.
    assert text.count("id-token: write") == 1
    assert "secrets." not in text
    assert "twine check --strict" in text
    assert text.index("twine check") < text.index("gh-action-pypi-publish")


def test_what_is_not_published_is_installed_from_a_wheel_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    text = (WORKFLOWS / "release.yml").read_text()
    assert f"HARNESS: ./pytest_gokrazy-{version}-py3-none-any.whl" in text
    assert "pip install pytest-gokrazy" not in text
    assert "pip install pytest-gokrazy" not in (ROOT / "README.md").read_text()


def test_a_repository_s_own_harness_is_not_run_for_ours() -> None:
    # python -m puts the current folder first, unless -P keeps it out.
    assert not re.search(r"python -m harness", (WORKFLOWS / "release.yml").read_text())

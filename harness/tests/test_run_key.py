"""Whose SSH key opens which image, and when a key is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.image.load import load_raw
from harness.image.model import Breakglass, Image
from harness.options import Settings
from harness.run_key import RunKey
from harness.tests.image import synthetic

GIVEN = Settings(ssh_key=Path("/home/me/key"))


class RunFolder:
    """Stands for the run's folder; keeps the names of what was asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[str] = []

    def folder(self, name: str, **_: bool) -> Path:
        self.asked.append(name)
        folder = self.path / name
        folder.mkdir()
        return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("image")
    made = load_raw(synthetic.write_image(folder / "disk.raw", folder))
    return replace(made, breakglass=Breakglass(), perm="ext4")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def run_key(settings: Settings, folder: RunFolder) -> RunKey:
    there: Any = folder
    never: Any = lambda: pytest.fail("the captures were asked for")  # noqa: E731
    return RunKey(settings, run_dir=lambda: there, captures=never)


@pytest.mark.parametrize(
    ("changes", "own", "given"),
    [
        ({}, True, True),
        ({"breakglass": None}, False, False),
        ({"breakglass": Breakglass(has_keys=True)}, False, True),
        ({"breakglass": Breakglass(authorized_keys="/etc/keys")}, False, True),
        ({"perm": "blank"}, False, True),
    ],
)
def test_the_runs_own_key_opens_what_it_can_be_put_on_and_a_given_one_any_breakglass(
    image: Image, folder: RunFolder, changes: dict[str, Any], own: bool, given: bool
) -> None:
    image = replace(image, **changes)
    assert (run_key(Settings(), folder).opens(image), run_key(GIVEN, folder).opens(image)) == (own, given)
    assert run_key(Settings(), folder).is_put_on(image) == own
    assert not run_key(GIVEN, folder).is_put_on(image)
    assert folder.asked == [], "a key was made that nobody used"


def test_a_key_is_made_once_and_a_given_one_never(folder: RunFolder) -> None:
    key = run_key(Settings(warm="off"), folder)
    assert key.private == key.private
    assert key.private.stat().st_mode & 0o077 == 0
    assert key.private.with_name(f"{key.private.name}.pub").is_file()
    assert run_key(GIVEN, folder).private == GIVEN.ssh_key
    assert folder.asked == ["key"]


def test_an_image_that_lets_the_key_in_already_is_the_base_itself(image: Image, folder: RunFolder) -> None:
    assert run_key(GIVEN, folder).base(image) == (image.path, "raw")
    assert run_key(Settings(), folder).base(replace(image, breakglass=None)) == (image.path, "raw")
    assert folder.asked == []

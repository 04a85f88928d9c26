"""Whose SSH key opens which image, and when a key is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.gokrazy.keys import generate_key
from harness.image.load import load_raw
from harness.image.model import Breakglass, Image
from harness.image.perm import read_file
from harness.machine.overlay import Overlay
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
        # Without a file system there is no key file, whoever has a key: breakglass does not come up.
        ({"perm": "blank"}, False, False),
        ({"perm": "mkfs"}, False, False),
        ({"perm": "other"}, False, True),
        ({"perm": "blank", "breakglass": Breakglass(has_keys=True)}, False, True),
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


def test_a_blank_perm_is_the_reason_and_the_option_that_mends_it_is_named(image: Image, folder: RunFolder) -> None:
    said = run_key(Settings(), folder).why_not(replace(image, perm="blank"))
    assert "/perm, which is blank in the image (--gk-perm ext4" in said


def test_a_perm_that_the_run_formats_lets_the_key_in(image: Image, folder: RunFolder, tmp_path: Path) -> None:
    blank = replace(image, perm="blank", perm_is_made=True)
    path, base_format = run_key(Settings(warm="off"), folder).base(blank)
    assert base_format == "qcow2"
    assert perm_of(path, blank, tmp_path / "blank").read_bytes()[1080:1082] == bytes(2)

    other = tmp_path / "other"
    other.mkdir()
    key = run_key(Settings(warm="off"), RunFolder(other))
    made = replace(image, perm="ext4", perm_is_made=True)
    perm = perm_of(key.base(made)[0], made, tmp_path / "made")
    assert read_file(perm, "breakglass.authorized_keys") == f"{key.public_line}\n".encode()


def test_a_given_key_is_put_onto_a_perm_that_is_new(image: Image, folder: RunFolder, tmp_path: Path) -> None:
    pair = generate_key(tmp_path / "mine")
    key = run_key(Settings(ssh_key=pair.private), folder)
    made = replace(image, perm_is_made=True)
    assert key.is_put_on(made)
    perm = perm_of(key.base(made)[0], made, tmp_path / "made")
    line = read_file(perm, "breakglass.authorized_keys")
    assert line is not None
    assert line.decode().split() == pair.public_line.split()[:2]


def perm_of(disk: Path, image: Image, out: Path) -> Path:
    assert image.layout.perm is not None
    folder = out.with_suffix(".d")
    folder.mkdir()
    return Overlay.create(disk, folder, base_format="qcow2").extract(image.layout.perm, out)

"""Whose SSH key opens which image, and when a key is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)

from harness.errors import OptionError
from harness.gokrazy.keys import KeyPair, generate_key
from harness.image.load import load_raw
from harness.image.model import Breakglass, Image
from harness.image.perm import read_file
from harness.image.squashfs import File
from harness.lab.run_key import RunKey
from harness.machine.overlay import Overlay
from harness.options import Settings
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
        ({"breakglass": Breakglass(authorized_keys="/etc/keys")}, False, True),
        ({"breakglass": Breakglass(authorized_keys="")}, False, True),
        # Without a file system there is no key file, whoever has a key: breakglass does not come up.
        ({"perm": "blank"}, False, False),
        ({"perm": "mkfs"}, False, False),
        ({"perm": "other"}, False, True),
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


@dataclass
class Home:
    """A user's home, and an image that lets in whom ``lets_in`` names."""

    folder: Path

    def key(self, name: str = "id_ed25519") -> KeyPair:
        return generate_key(self.folder / ".ssh", name=name, comment=f"me on {name}")

    def lets_in(self, *lines: str) -> Image:
        tree = synthetic.root_tree()
        tree.add("/etc/breakglass.authorized_keys", File("\n".join(lines).encode()), replace=True)
        made = self.folder / "image"
        made.mkdir()
        return load_raw(synthetic.write_image(made / "disk.img", made, tree=tree))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return Home(folder)


def test_the_users_own_key_is_used_where_it_lies_if_its_public_half_is_in_the_image(
    home: Home, folder: RunFolder
) -> None:
    home.key("id_other")
    mine = home.key()
    image = home.lets_in("# mine", mine.public_line)
    before = {path: path.read_bytes() for path in home.folder.rglob("id_*")}
    key = run_key(Settings(), folder)
    assert key.of(image) == mine.private
    assert key.why_not(image) == ""
    assert not key.is_put_on(image)
    assert key.base(image) == (image.path, "raw")
    assert folder.asked == [], "a key was made, or copied, although the user has one"
    assert {path: path.read_bytes() for path in home.folder.rglob("id_*")} == before


def test_a_key_without_its_public_half_beside_it_is_found_too(home: Home, folder: RunFolder) -> None:
    mine = home.key()
    mine.public.unlink()
    assert run_key(Settings(), folder).of(home.lets_in(f"no-pty {mine.public_line}")) == mine.private


def test_where_no_key_fits_the_reason_names_those_that_the_image_takes(home: Home, folder: RunFolder) -> None:
    home.key()
    others = [home.key(f"id_{number}") for number in range(5)]
    for pair in others:
        pair.private.unlink()
        pair.public.unlink()
    image = home.lets_in(*(pair.public_line for pair in others))
    key = run_key(Settings(), folder)
    said = key.why_not(image)
    assert key.of(image) is None
    for part in ("--gk-ssh-key", "that of me on id_0", "and 2 more", "/etc/breakglass.authorized_keys"):
        assert part in said


def test_a_key_behind_a_passphrase_is_named_and_nobody_is_asked_for_it(home: Home, folder: RunFolder) -> None:
    made = home.key()
    private = Ed25519PrivateKey.generate()
    locked = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(b"secret"))
    made.private.write_bytes(locked)
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    made.public.write_text(line)
    said = run_key(Settings(), folder).why_not(home.lets_in(line))
    assert said.startswith(f"{made.private} is a key of this image, but the SSH key is protected by a passphrase")


def test_a_public_half_alone_opens_nothing(home: Home, folder: RunFolder) -> None:
    mine = home.key()
    mine.private.unlink()
    assert "only its public half is there" in run_key(Settings(), folder).why_not(home.lets_in(mine.public_line))


def test_a_given_key_that_the_image_does_not_take_is_told_before_anything_runs(
    home: Home, folder: RunFolder
) -> None:
    mine, wrong = home.key(), home.key("id_wrong")
    image = home.lets_in(mine.public_line)
    right, foreign = (run_key(Settings(ssh_key=pair.private), folder) for pair in (mine, wrong))
    right.check_given(image)
    assert right.of(image) == mine.private
    with pytest.raises(OptionError, match=r"not in the image: .* takes that of me on id_ed25519"):
        foreign.check_given(image)
    assert not foreign.opens(image)
    foreign.check_given(replace(image, breakglass=None))


def test_a_given_key_that_is_none_is_told_before_anything_runs(image: Image, folder: RunFolder) -> None:
    with pytest.raises(OptionError, match="cannot read the SSH key"):
        run_key(GIVEN, folder).check_given(image)

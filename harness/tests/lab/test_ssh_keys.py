"""Whose SSH key opens which image, and when a key is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
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
from harness.lab.ssh_keys import SshKeys
from harness.machine.disk_overlay import DiskOverlay
from harness.options import Settings
from harness.tests.image import synthetic
from harness.tests.lab.played import PlayedFolders

GIVEN = Settings(ssh_key=Path("/home/me/key"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("image")
    made = load_raw(synthetic.write_image(folder / "disk.raw", folder))
    return replace(made, breakglass=Breakglass(), perm="ext4")


@pytest.fixture
def folder(tmp_path: Path) -> PlayedFolders:
    return PlayedFolders(tmp_path)


def ssh_keys(settings: Settings, folder: PlayedFolders) -> SshKeys:
    never: Any = SimpleNamespace(key=lambda: pytest.fail("the captures were asked for"))
    return SshKeys(settings, folder, never)


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
    image: Image, folder: PlayedFolders, changes: dict[str, Any], own: bool, given: bool
) -> None:
    image = replace(image, **changes)
    ours, theirs = (ssh_keys(settings, folder).choice(image) for settings in (Settings(), GIVEN))
    assert (ours.opens, theirs.opens) == (own, given)
    assert (ours.is_put_on, theirs.is_put_on) == (own, False)
    assert folder.asked == [], "a key was made that nobody used"


def test_a_key_is_made_once_and_a_given_one_never(folder: PlayedFolders) -> None:
    key = ssh_keys(Settings(warm="off"), folder)
    assert key.private == key.private
    assert key.private.stat().st_mode & 0o077 == 0
    assert key.private.with_name(f"{key.private.name}.pub").is_file()
    assert ssh_keys(GIVEN, folder).private == GIVEN.ssh_key
    assert folder.asked == ["key"]


def test_an_image_that_lets_the_key_in_already_is_the_base_itself(image: Image, folder: PlayedFolders) -> None:
    assert base(ssh_keys(GIVEN, folder), image) == (image.path, "raw")
    assert base(ssh_keys(Settings(), folder), replace(image, breakglass=None)) == (image.path, "raw")
    assert folder.asked == []


def test_a_blank_perm_is_the_reason_and_the_option_that_mends_it_is_named(
    image: Image, folder: PlayedFolders
) -> None:
    said = ssh_keys(Settings(), folder).choice(replace(image, perm="blank")).refusal
    assert "/perm, which is blank in the image (--gk-perm ext4" in said


def test_a_perm_that_the_run_formats_lets_the_key_in(image: Image, folder: PlayedFolders, tmp_path: Path) -> None:
    blank = replace(image, perm="blank", perm_is_made=True)
    path, base_format = base(ssh_keys(Settings(warm="off"), folder), blank)
    assert base_format == "qcow2"
    assert perm_of(path, blank, tmp_path / "blank").read_bytes()[1080:1082] == bytes(2)

    other = tmp_path / "other"
    other.mkdir()
    key = ssh_keys(Settings(warm="off"), PlayedFolders(other))
    made = replace(image, perm="ext4", perm_is_made=True)
    perm = perm_of(base(key, made)[0], made, tmp_path / "made")
    assert read_file(perm, "breakglass.authorized_keys") == f"{key.public_line}\n".encode()


def test_a_given_key_is_put_onto_a_perm_that_is_new(image: Image, folder: PlayedFolders, tmp_path: Path) -> None:
    pair = generate_key(tmp_path / "mine")
    key = ssh_keys(Settings(ssh_key=pair.private), folder)
    made = replace(image, perm_is_made=True)
    assert key.choice(made).is_put_on
    perm = perm_of(base(key, made)[0], made, tmp_path / "made")
    line = read_file(perm, "breakglass.authorized_keys")
    assert line is not None
    assert line.decode().split() == pair.public_line.split()[:2]


def base(keys: SshKeys, image: Image) -> tuple[Path, str]:
    return keys.base(image, keys.choice(image))


def perm_of(disk: Path, image: Image, out: Path) -> Path:
    assert image.layout.perm is not None
    folder = out.with_suffix(".d")
    folder.mkdir()
    return DiskOverlay.create(disk, folder, base_format="qcow2").extract(image.layout.perm, out)


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
    home: Home, folder: PlayedFolders
) -> None:
    home.key("id_other")
    mine = home.key()
    image = home.lets_in("# mine", mine.public_line)
    before = {path: path.read_bytes() for path in home.folder.rglob("id_*")}
    key = ssh_keys(Settings(), folder)
    choice = key.choice(image)
    assert key.private_for(choice) == mine.private
    assert choice.refusal == ""
    assert not choice.is_put_on
    assert key.base(image, choice) == (image.path, "raw")
    assert folder.asked == [], "a key was made, or copied, although the user has one"
    assert {path: path.read_bytes() for path in home.folder.rglob("id_*")} == before


def test_a_key_without_its_public_half_beside_it_is_found_too(home: Home, folder: PlayedFolders) -> None:
    mine = home.key()
    mine.public.unlink()
    keys = ssh_keys(Settings(), folder)
    assert keys.private_for(keys.choice(home.lets_in(f"no-pty {mine.public_line}"))) == mine.private


def test_where_no_key_fits_the_reason_names_those_that_the_image_takes(home: Home, folder: PlayedFolders) -> None:
    home.key()
    others = [home.key(f"id_{number}") for number in range(5)]
    for pair in others:
        pair.private.unlink()
        pair.public.unlink()
    image = home.lets_in(*(pair.public_line for pair in others))
    key = ssh_keys(Settings(), folder)
    choice = key.choice(image)
    said = choice.refusal
    assert key.private_for(choice) is None
    for part in ("--gk-ssh-key", "that of me on id_0", "and 2 more", "/etc/breakglass.authorized_keys"):
        assert part in said


def test_a_key_behind_a_passphrase_is_named_and_nobody_is_asked_for_it(home: Home, folder: PlayedFolders) -> None:
    made = home.key()
    private = Ed25519PrivateKey.generate()
    locked = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(b"secret"))
    made.private.write_bytes(locked)
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    made.public.write_text(line)
    said = ssh_keys(Settings(), folder).choice(home.lets_in(line)).refusal
    assert said.startswith(f"{made.private} is a key of this image, but the SSH key is protected by a passphrase")


def test_a_public_half_alone_opens_nothing(home: Home, folder: PlayedFolders) -> None:
    mine = home.key()
    mine.private.unlink()
    assert (
        "only its public half is there"
        in ssh_keys(Settings(), folder).choice(home.lets_in(mine.public_line)).refusal
    )


def test_a_given_key_that_the_image_does_not_take_is_told_before_anything_runs(
    home: Home, folder: PlayedFolders
) -> None:
    mine, wrong = home.key(), home.key("id_wrong")
    image = home.lets_in(mine.public_line)
    right, foreign = (ssh_keys(Settings(ssh_key=pair.private), folder) for pair in (mine, wrong))
    right.check_given(image)
    assert right.private_for(right.choice(image)) == mine.private
    with pytest.raises(OptionError, match=r"not in the image: .* takes that of me on id_ed25519"):
        foreign.check_given(image)
    assert not foreign.choice(image).opens
    foreign.check_given(replace(image, breakglass=None))


def test_a_given_key_that_is_none_is_told_before_anything_runs(image: Image, folder: PlayedFolders) -> None:
    with pytest.raises(OptionError, match="cannot read the SSH key"):
        ssh_keys(GIVEN, folder).check_given(image)

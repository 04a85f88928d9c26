"""SshKeys: which private key opens breakglass on which image, and the disks that a run puts its public key onto.

The same layer of a disk carries a /perm that the run wants otherwise than the image has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.appliance.abilities import NO_KEY
from harness.errors import OptionError
from harness.gokrazy.keys import generate_key, public_line
from harness.gokrazy.own_keys import OwnKey, find_key, own_folder
from harness.image.authorized_keys import PublicKey, authorized_keys
from harness.image.model import PERM_TITLES, Breakglass, Image
from harness.lab.folders import Folders
from harness.lab.snapshots import Snapshots
from harness.machine.disk_overlay import BaseFormat, DiskOverlay
from harness.machine.partitions import make_perm, write_perm
from harness.options import Settings

NAMED = 3
"""Keys that a reason names."""


@dataclass(frozen=True)
class KeyChoice:
    """How breakglass on an image is entered in this run."""

    opens: bool = False
    """Whether a key is known that breakglass accepts; without breakglass there is none."""
    refusal: str = ""
    """Why breakglass takes no key that is known, "" when it takes one, and where there is no breakglass."""
    is_put_on: bool = False
    """Whether the public key is put onto the disk of each appliance."""
    own: OwnKey | None = None
    """The user's own key whose public half is in the image, None where there is none or one was given."""


class SshKeys:
    """The key that was given, else the user's own that the image lets in, else one made when it is first needed.

    One is made for the run, or with its snapshots; the user's own is read where it lies.
    """

    def __init__(self, settings: Settings, folders: Folders, snapshots: Snapshots) -> None:
        self._settings = settings
        self._folders = folders
        self._snapshots = snapshots
        self._made: Path | None = None
        self._bases: dict[str, tuple[Path, BaseFormat]] = {}
        self._authorized: dict[str, tuple[PublicKey, ...]] = {}

    def choice(self, image: Image) -> KeyChoice:
        """How breakglass on this image is entered; makes no key."""
        breakglass = image.breakglass
        if breakglass is None:
            return KeyChoice()
        looks_in_perm = _looks_in_perm(breakglass)
        # A key that was given is the user's to put onto a device: it is put onto a /perm that is new all the same.
        is_given = self._settings.ssh_key is not None
        if looks_in_perm and image.perm == "ext4" and (not is_given or image.perm_is_made):
            return KeyChoice(opens=True, is_put_on=True)
        own = None if is_given else find_key({key.blob for key in self._let_in(image)}, own_folder())
        refusal = ""
        if looks_in_perm and image.perm in ("blank", "mkfs"):
            refusal = (
                f"breakglass looks for its keys in /perm, which is {PERM_TITLES[image.perm]} in the image "
                "(--gk-perm ext4 puts one there on each test's disk)"
            )
        elif breakglass.has_keys:
            refusal = self._not_let_in(image, own)
        elif not is_given:
            refusal = NO_KEY
        return KeyChoice(opens=not refusal, refusal=refusal, own=own)

    def private_for(self, choice: KeyChoice) -> Path | None:
        """The private key that breakglass accepts, None when none is known."""
        if not choice.opens:
            return None
        return self.private if choice.own is None else choice.own.path

    def throw_away(self, choice: KeyChoice) -> Path | None:
        """The private key, if it was made for this run alone, so that it may be given away; else None."""
        lasts = self._settings.ssh_key is not None or self._settings.warm == "persist"
        return self.private if choice.is_put_on and not lasts else None

    def check_given(self, image: Image) -> None:
        """Raise OptionError when a key was given that cannot be used, or that this image does not let in."""
        if self._settings.ssh_key is None or image.breakglass is None:
            return
        self.public_line  # noqa: B018  it raises
        reason = self._not_let_in(image, None) if image.breakglass.has_keys else ""
        if reason:
            raise OptionError(
                reason, where=str(self._settings.ssh_key), hint="give the private half of one of them"
            )

    @property
    def private(self) -> Path:
        """The private key; the public one lies beside it."""
        if self._settings.ssh_key is not None:
            return self._settings.ssh_key
        if self._made is None:
            alone = self._settings.warm == "off"
            self._made = generate_key(self._folders.folder("key")).private if alone else self._snapshots.key()
        return self._made

    @property
    def public_line(self) -> str:
        """The public half of the key, as an authorized_keys file has it."""
        return public_line(self.private)

    def base(self, image: Image, choice: KeyChoice) -> tuple[Path, BaseFormat]:
        """What an appliance's disk lies on: the image itself, or a layer over it.

        The layer has the /perm that the run wants where the image has another one, and lets the key in.
        """
        breakglass = image.breakglass if choice.is_put_on else None
        if breakglass is None and not image.perm_is_made:
            return image.path, "raw"
        if image.digest not in self._bases:
            overlay = DiskOverlay.create(image.path, self._folders.folder("base", bulky=True))
            if image.perm_is_made:
                make_perm(overlay, image)
            if breakglass is not None:
                line = f"{self.public_line}\n".encode()
                write_perm(overlay, image, breakglass.authorized_keys.removeprefix("/perm/"), line)
            self._bases[image.digest] = overlay.path, "qcow2"
        return self._bases[image.digest]

    def _let_in(self, image: Image) -> tuple[PublicKey, ...]:
        if image.digest not in self._authorized:
            self._authorized[image.digest] = authorized_keys(image)
        return self._authorized[image.digest]

    def _not_let_in(self, image: Image, own: OwnKey | None) -> str:
        """Return why no key is known of those that are in the image, "" when one is."""
        keys = self._let_in(image)
        where = image.breakglass.authorized_keys if image.breakglass is not None else ""
        takes = f"breakglass on this image takes {_names(keys)} ({where})"
        if self._settings.ssh_key is not None:
            blob = self.public_line.split()[1]
            known = blob in {key.blob for key in keys}
            return "" if known else f"the key of --gk-ssh-key is not in the image: {takes}"
        if own is None:
            return f"{NO_KEY}: {takes}, and ~/.ssh has the private half of none"
        return f"{own.path} is a key of this image, but {own.problem} (give --gk-ssh-key)" if own.problem else ""


def _names(keys: Sequence[PublicKey]) -> str:
    """Which keys these are, for a reader who has to find the private half of one."""
    named = [f"that of {key.name}" for key in keys[:NAMED]]
    if len(keys) > NAMED:
        named.append(f"{len(keys) - NAMED} more")
    return " and ".join(named) or "none at all"


def _looks_in_perm(breakglass: Breakglass) -> bool:
    return not breakglass.has_keys and breakglass.authorized_keys.startswith("/perm/")

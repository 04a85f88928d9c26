"""RunKey: the SSH key of a run, and the disks that it is put onto so that breakglass accepts it.

The same layer of a disk carries a /perm that the run wants otherwise than the image has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.appliance.abilities import NO_KEY
from harness.errors import OptionError
from harness.image.model import PERM_TITLES, Breakglass, Image
from harness.options import Settings

if TYPE_CHECKING:
    from harness.gokrazy.own_keys import OwnKey
    from harness.image.authorized_keys import PublicKey
    from harness.lab.captures import Captures
    from harness.machine.overlay import BaseFormat
    from harness.machine.run_dir import RunDir


_TOLD = 3
"""Keys that a reason names."""


class RunKey:
    """The key that was given, else the user's own that the image lets in, else one made when it is first needed.

    One is made for the run, or with its captures; the user's own is read where it lies.
    """

    def __init__(
        self, settings: Settings, *, run_dir: Callable[[], RunDir], captures: Callable[[], Captures]
    ) -> None:
        self._settings = settings
        self._run_dir = run_dir
        self._captures = captures
        self._made: Path | None = None
        self._bases: dict[str, tuple[Path, BaseFormat]] = {}
        self._let_in: dict[str, tuple[PublicKey, ...]] = {}
        self._own: dict[str, OwnKey | None] = {}

    def opens(self, image: Image) -> bool:
        """Whether a key is known that breakglass on this image accepts."""
        return image.breakglass is not None and not self.why_not(image)

    def why_not(self, image: Image) -> str:
        """Return why no key is known that breakglass on this image accepts, "" when one is."""
        breakglass = image.breakglass
        if breakglass is None or self.is_put_on(image):
            return ""
        if _looks_in_perm(breakglass) and image.perm in ("blank", "mkfs"):
            return (
                f"breakglass looks for its keys in /perm, which is {PERM_TITLES[image.perm]} in the image "
                "(--gk-perm ext4 puts one there on each test's disk)"
            )
        if breakglass.has_keys:
            return self._why_not_let_in(image)
        return "" if self._settings.ssh_key is not None else NO_KEY

    def of(self, image: Image) -> Path | None:
        """The private key that breakglass on this image accepts, None when none is known."""
        if not self.opens(image):
            return None
        own = self.own(image)
        return self.private if own is None else own.path

    def own(self, image: Image) -> OwnKey | None:
        """The user's own key whose public half is in the image, None where there is none or one was given."""
        if self._settings.ssh_key is not None:
            return None
        if image.digest not in self._own:
            from harness.gokrazy.own_keys import find_key, own_folder

            blobs = {key.blob for key in self._authorized(image)}
            self._own[image.digest] = find_key(blobs, own_folder())
        return self._own[image.digest]

    def check_given(self, image: Image) -> None:
        """Raise OptionError when a key was given that cannot be used, or that this image does not let in."""
        if self._settings.ssh_key is None or image.breakglass is None:
            return
        self.public_line  # noqa: B018  it raises
        reason = self._why_not_let_in(image) if image.breakglass.has_keys else ""
        if reason:
            raise OptionError(
                reason, where=str(self._settings.ssh_key), hint="give the private half of one of them"
            )

    def _why_not_let_in(self, image: Image) -> str:
        """Return why no key is known of those that are in the image, "" when one is."""
        keys = self._authorized(image)
        where = image.breakglass.authorized_keys if image.breakglass is not None else ""
        takes = f"breakglass on this image takes {_names(keys)} ({where})"
        if self._settings.ssh_key is not None:
            blob = self.public_line.split()[1]
            return (
                ""
                if blob in {key.blob for key in keys}
                else f"the key of --gk-ssh-key is not in the image: {takes}"
            )
        own = self.own(image)
        if own is None:
            return f"{NO_KEY}: {takes}, and ~/.ssh has the private half of none"
        return f"{own.path} is a key of this image, but {own.problem} (give --gk-ssh-key)" if own.problem else ""

    def _authorized(self, image: Image) -> tuple[PublicKey, ...]:
        if image.digest not in self._let_in:
            from harness.image.authorized_keys import authorized_keys

            self._let_in[image.digest] = authorized_keys(image)
        return self._let_in[image.digest]

    def is_put_on(self, image: Image) -> bool:
        """Whether the key is put onto the disk of this image; one that was given only onto a /perm that is new."""
        breakglass = image.breakglass
        return (
            breakglass is not None
            and _looks_in_perm(breakglass)
            and image.perm == "ext4"
            and (self._settings.ssh_key is None or image.perm_is_made)
        )

    @property
    def private(self) -> Path:
        """The private key; the public one lies beside it."""
        if self._settings.ssh_key is not None:
            return self._settings.ssh_key
        if self._made is None:
            from harness.gokrazy.keys import generate_key

            if self._settings.warm == "off":
                self._made = generate_key(self._run_dir().folder("key")).private
            else:
                self._made = self._captures().key()
        return self._made

    @property
    def public_line(self) -> str:
        """The public half of the key, as an authorized_keys file has it."""
        from harness.gokrazy.keys import public_line

        return public_line(self.private)

    def base(self, image: Image) -> tuple[Path, BaseFormat]:
        """What an appliance's disk lies on: the image itself, or a layer over it.

        The layer has the /perm that the run wants where the image has another one, and lets the key in.
        """
        breakglass = image.breakglass if self.is_put_on(image) else None
        if breakglass is None and not image.perm_is_made:
            return image.path, "raw"
        if image.digest not in self._bases:
            from harness.faults.damage import make_perm, write_perm
            from harness.machine.overlay import Overlay

            overlay = Overlay.create(image.path, self._run_dir().folder("base", bulky=True))
            if image.perm_is_made:
                make_perm(overlay, image)
            if breakglass is not None:
                line = f"{self.public_line}\n".encode()
                write_perm(overlay, image, breakglass.authorized_keys.removeprefix("/perm/"), line)
            self._bases[image.digest] = overlay.path, "qcow2"
        return self._bases[image.digest]


def _names(keys: Sequence[PublicKey]) -> str:
    """Which keys these are, for a reader who has to find the private half of one."""
    told = [f"that of {key.name}" for key in keys[:_TOLD]]
    if len(keys) > _TOLD:
        told.append(f"{len(keys) - _TOLD} more")
    return " and ".join(told) or "none at all"


def _looks_in_perm(breakglass: Breakglass) -> bool:
    return not breakglass.has_keys and breakglass.authorized_keys.startswith("/perm/")

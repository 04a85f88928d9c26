"""RunKey: the SSH key of a run, and the disks that it is put onto so that breakglass accepts it.

The same layer of a disk carries a /perm that the run wants otherwise than the image has it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.abilities import NO_KEY
from harness.image.model import PERM_TITLES, Breakglass, Image
from harness.options import Settings

if TYPE_CHECKING:
    from harness.captures import Captures
    from harness.machine.overlay import BaseFormat
    from harness.machine.run_dir import RunDir


class RunKey:
    """The key that was given, else one made when it is first needed: for the run, or with its captures."""

    def __init__(
        self, settings: Settings, *, run_dir: Callable[[], RunDir], captures: Callable[[], Captures]
    ) -> None:
        self._settings = settings
        self._run_dir = run_dir
        self._captures = captures
        self._made: Path | None = None
        self._bases: dict[str, tuple[Path, BaseFormat]] = {}

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
        return "" if self._settings.ssh_key is not None else NO_KEY

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


def _looks_in_perm(breakglass: Breakglass) -> bool:
    return not breakglass.has_keys and breakglass.authorized_keys.startswith("/perm/")

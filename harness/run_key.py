"""RunKey: the SSH key of a run, and the disks that it is put onto so that breakglass accepts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.image.model import Image
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
        return image.breakglass is not None and (self._settings.ssh_key is not None or self.is_put_on(image))

    def is_put_on(self, image: Image) -> bool:
        """Whether the run's own key is put onto the disk of this image."""
        breakglass = image.breakglass
        return (
            self._settings.ssh_key is None
            and breakglass is not None
            and not breakglass.has_keys
            and breakglass.authorized_keys.startswith("/perm/")
            and image.perm == "ext4"
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

    def base(self, image: Image) -> tuple[Path, BaseFormat]:
        """What an appliance's disk lies on: the image itself, or a layer over it that lets the key in."""
        breakglass = image.breakglass
        if breakglass is None or not self.is_put_on(image):
            return image.path, "raw"
        if image.digest not in self._bases:
            from harness.faults.damage import write_perm
            from harness.machine.overlay import Overlay

            overlay = Overlay.create(image.path, self._run_dir().folder("base", bulky=True))
            line = self.private.with_name(f"{self.private.name}.pub").read_bytes()
            write_perm(overlay, image, breakglass.authorized_keys.removeprefix("/perm/"), line)
            self._bases[image.digest] = overlay.path, "qcow2"
        return self._bases[image.digest]

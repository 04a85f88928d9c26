"""The SSH keys that an image lets in: the public lines in the file that its breakglass reads."""

from __future__ import annotations

from dataclasses import dataclass

from harness.image.model import Image
from harness.image.root import root_of

_KINDS = ("ssh-", "ecdsa-", "sk-")


@dataclass(frozen=True)
class PublicKey:
    """One line of an authorized_keys file, or of a ``.pub`` file."""

    kind: str
    """Such as ``ssh-ed25519``."""
    blob: str
    """The key itself, in base64."""
    comment: str = ""

    @property
    def name(self) -> str:
        """What a reader knows it by: its comment, else the end of the key."""
        return self.comment or f"{self.kind} ...{self.blob[-12:]}"


def public_keys(text: str) -> tuple[PublicKey, ...]:
    """The keys in a file of that form; lines that hold none are passed over, and so are a key's options."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if line.lstrip().startswith("#"):
            continue
        at = next((number for number, field in enumerate(fields[:-1]) if field.startswith(_KINDS)), None)
        if at is not None:
            found.append(PublicKey(fields[at], fields[at + 1], " ".join(fields[at + 2 :])))
    return tuple(found)


def authorized_keys(image: Image) -> tuple[PublicKey, ...]:
    """The keys in the root file system that breakglass takes; none where it looks for them elsewhere."""
    breakglass = image.breakglass
    if breakglass is None or not breakglass.has_keys:
        return ()
    root = root_of(image)
    return public_keys(root.read(breakglass.authorized_keys).decode(errors="replace"))

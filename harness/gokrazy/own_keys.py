"""The user's own SSH keys: which of them opens a device that has their public halves. They are only read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import OptionError
from harness.gokrazy.keys import public_line


@dataclass(frozen=True)
class OwnKey:
    """A private key that opens a device; ``problem`` says why it cannot be used here, "" when it can."""

    path: Path
    problem: str = ""


def own_folder() -> Path | None:
    """Where ssh keeps the user's keys, None for a user without a home."""
    try:
        return Path.home() / ".ssh"
    except RuntimeError:
        return None


def find_key(blobs: Collection[str], folder: Path | None) -> OwnKey | None:
    """The key in that folder whose public half is one of these, in base64; one that can be used comes first."""
    found = list(_matching(blobs, folder)) if folder is not None and blobs else []
    return next((key for key in found if not key.problem), found[0] if found else None)


def _matching(blobs: Collection[str], folder: Path) -> Iterator[OwnKey]:
    try:
        names = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return
    paired = {path.with_suffix("") for path in names if path.suffix == ".pub"}
    for private in sorted(paired):
        if _blob(_text(private.with_suffix(".pub"))) in blobs:
            yield OwnKey(private, _problem(private, blobs))
    for private in names:
        # Without its public half beside it, only the key itself can be asked.
        if private.name.startswith("id_") and private.suffix != ".pub" and private not in paired:
            problem = _problem(private, blobs)
            if not problem:
                yield OwnKey(private)


def _problem(private: Path, blobs: Collection[str]) -> str:
    if not private.is_file():
        return "only its public half is there"
    try:
        blob = _blob(public_line(private))
    except OptionError as error:
        return error.what
    return "" if blob in blobs else "it does not belong to the public half beside it"


def _blob(line: str) -> str:
    fields = line.split()
    return fields[1] if len(fields) > 1 else ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""

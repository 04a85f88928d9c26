"""Licences: under which ones the modules of an image are, by the licence files beside their sources."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.build.go import GoToolchain
from harness.errors import HarnessError
from harness.image.arch import NAMES as ARCHES
from harness.image.sbom import LOCAL, STANDARD_LIBRARY

UNKNOWN = "unknown"
"""What each text begins with that names no licence; the reason follows."""
OWN_TERMS = " ("
"""What is only in a text that names no licence but a file, since nobody knows its terms by a name."""
NO_GO = f"{UNKNOWN}: without Go its source is not found"
NOT_HERE = f"{UNKNOWN}: its source is not on this computer"
NO_FILE = f"{UNKNOWN}: its source has no licence file"
OWN = f"{UNKNOWN}: a folder of whoever built it"
_NAMES = re.compile(r"(?:un)?licen[cs]e|copying", re.IGNORECASE)
_LONGEST = 200_000
"""Bytes of a licence file that are read."""
_WIDEST = 60
"""Characters of a line that stands for a licence."""


Module = tuple[str, str]
"""Its path and its version."""


def licences(modules: Iterable[Module], environ: Mapping[str, str] = os.environ) -> dict[Module, tuple[str, ...]]:
    """The licences of each module, as SPDX calls them, or why they are not known: at least one text each.

    A licence that is not recognised is named by its file and the first line of that. The sources are those in
    Go's module cache; nothing is fetched.
    """
    every = set(modules)
    try:
        # Modules and Go itself lie at the same place for each architecture.
        downloaded, root = GoToolchain.find(arch=ARCHES[0], build_env={}, environ=environ).places()
    except HarnessError:
        return dict.fromkeys(every, (NO_GO,))
    found: dict[Module, tuple[str, ...]] = {}
    for path, version in every:
        # Of one that is replaced, the name of the other stands before the version.
        other, _, exact = version.rpartition(" ")
        if version in ("", "(devel)", LOCAL):
            found[path, version] = (OWN,)
        elif path == STANDARD_LIBRARY:
            found[path, version] = licences_in(root)
        else:
            found[path, version] = licences_in(downloaded / f"{_escaped(other or path)}@{_escaped(exact)}")
    return found


def licences_in(folder: Path) -> tuple[str, ...]:
    """The licences of what lies in a folder, by the files directly in it."""
    if not folder.is_dir():
        return (NOT_HERE,)
    files = sorted(path for path in folder.iterdir() if _NAMES.match(path.name) and path.is_file())
    names = [name for path in files for name in _licences_of(path)]
    return tuple(dict.fromkeys(names)) or (NO_FILE,)


def _licences_of(path: Path) -> list[str]:
    # Imported here: it takes a moment, and most of what is done with builds does without.
    from licenseclassifier import identify_license

    with path.open("rb") as file:
        text = file.read(_LONGEST).decode(errors="replace")
    if names := [one.id for one in identify_license(text)]:
        return names
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return [f"{path.name}{OWN_TERMS}{first[:_WIDEST]})"]


def _escaped(text: str) -> str:
    """As Go writes module paths and versions into its cache: a capital letter is "!" and the small one."""
    return re.sub(r"[A-Z]", lambda letter: f"!{letter[0].lower()}", text)

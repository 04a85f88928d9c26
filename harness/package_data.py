"""Where the scenarios and images are: beside the package in a clone, inside it once installed from a wheel."""

from __future__ import annotations

from pathlib import Path

from harness.errors import InternalError

_PACKAGE = Path(__file__).resolve().parent


def scenarios_folder() -> Path:
    """The folder with the scenarios."""
    return _folder("scenarios")


def images_folder() -> Path:
    """The folder with the project's own gokrazy instances."""
    return _folder("images")


def _folder(name: str) -> Path:
    for candidate in (_PACKAGE / "data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise InternalError(f"the package came without its {name}", where=str(_PACKAGE))

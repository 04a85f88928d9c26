"""What the bill of materials in an image says of its modules."""

from __future__ import annotations

import json
from collections.abc import Sequence

LOCAL = "(local)"
"""The version of a module that lay in a folder of whoever built the image."""
STANDARD_LIBRARY = "std"
"""What Go calls the module of its own packages."""


def modules_in(document: str) -> dict[str, str]:
    """Module path -> version of the programs that an SBOM describes; of an older gok's, which names none, nothing.

    Kernel, firmware and EEPROM are no programs, so their modules are in no SBOM.
    """
    try:
        packages = json.loads(document)["sbom"]["go_packages"] or ()
        infos = [str(package["BuildInfo"]) for package in packages]
    except (ValueError, KeyError, TypeError):
        return {}
    return modules_of(infos)


def modules_of(infos: Sequence[str]) -> dict[str, str]:
    """Module path -> version of everything that the programs were built from."""
    modules: dict[str, str] = {}
    last = ""
    for info in infos:
        for line in info.splitlines():
            parts = line.split("\t")
            if parts[0] == "go" and len(parts) > 1:
                modules[STANDARD_LIBRARY] = f"go{parts[1].removeprefix('go')}"
            elif parts[0] in ("mod", "dep") and len(parts) > 2:
                last = parts[1]
                modules[last] = parts[2]
            elif parts[0] == "=>" and last and len(parts) > 2:
                other = parts[2] if parts[1] == last else f"{parts[1]} {parts[2]}"
                modules[last] = LOCAL if parts[1].startswith((".", "/")) else other
    return dict(sorted(modules.items()))

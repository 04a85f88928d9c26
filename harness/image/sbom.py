"""The bill of materials in an image: what it says, whether it can be true, and the modules that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

PLACE = "/etc/gokrazy/sbom.json"
"""Where gokrazy's init reads it (its sbom.go)."""
LOCAL = "(local)"
"""The version of a module that lay in a folder of whoever built the image."""
STANDARD_LIBRARY = "std"
"""What Go calls the module of its own packages."""
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True)
class Hashed:
    """A file by its digest."""

    path: str
    """Of the computer that built the image: relative to the instance, or absolute."""
    sha256: str


@dataclass(frozen=True)
class Listed:
    """A program, as the bill names it."""

    path: str
    """On the device."""
    build_id: str
    info: str
    """What Go noted in it, as runtime/debug.BuildInfo prints it."""

    @property
    def modules(self) -> dict[str, str]:
        """Module path -> version of everything that it was built from."""
        return modules_of([self.info])


@dataclass(frozen=True)
class Package:
    """A kernel, firmware or EEPROM, as newer versions of gok name them."""

    module: str
    version: str
    files: tuple[Hashed, ...]


@dataclass(frozen=True)
class Sbom:
    """A bill of materials."""

    document: str
    """The file, as it is."""
    hash: str
    """What it says that its hash is: the device reports this one, and an update server compares it."""
    config: Hashed
    files: tuple[Hashed, ...]
    """The files that ExtraFilePaths brought."""
    programs: tuple[Listed, ...] | None
    """None where an older gok wrote it, which names go.mod files instead."""
    packages: tuple[Package, ...]

    @cached_property
    def computed(self) -> str:
        """The hash of what it contains, as gok computes it (its sbom.go)."""
        return hash_of(json.loads(self.document)["sbom"])

    @property
    def modules(self) -> dict[str, str]:
        """Module path -> version of everything that it names."""
        named = modules_of([one.info for one in self.programs or ()])
        return {**named, **{one.module: one.version for one in self.packages if one.module not in named}}


def read_sbom(document: str) -> Sbom:
    """What a bill of materials says; raises ValueError with what is wrong with it."""
    try:
        whole = json.loads(document)
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from None
    try:
        content = whole["sbom"]
        programs = content["go_packages"] or () if "go_packages" in content else None
        return Sbom(
            document=document,
            hash=_text(whole["sbom_hash"]),
            config=_hashed(content["config_hash"]),
            files=tuple(map(_hashed, content["extra_file_hashes"] or ())),
            programs=None if programs is None else tuple(map(_listed, programs)),
            packages=tuple(map(_package, content.get("system_packages") or ())),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"is not as gok writes it: {type(error).__name__}: {error}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _hashed(one: Mapping[str, Any]) -> Hashed:
    return Hashed(_text(one["path"]), _text(one["hash"]))


def _listed(one: Mapping[str, Any]) -> Listed:
    return Listed(_text(one["path"]), _text(one["BuildID"]), _text(one["BuildInfo"]))


def _package(one: Mapping[str, Any]) -> Package:
    return Package(_text(one["module_path"]), _text(one["version"]), tuple(map(_hashed, one["file_hashes"] or ())))


def go_json(value: object, *, indent: int | None = 4) -> str:
    """JSON as Go's encoding/json writes it."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    for char, escaped in _ESCAPED.items():
        text = text.replace(char, escaped)
    return text


def hash_of(content: object) -> str:
    """The hash that stands for what a bill of materials contains."""
    return hashlib.sha256(f"{go_json(content)}\n".encode()).hexdigest()


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

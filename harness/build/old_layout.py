"""The layout from before instances had a PackageConfig: a text file for each package and each kind of setting.

``gok`` reads these files, and so the device is built by them, as long as config.json has no PackageConfig.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from harness.build.config import Config, PackageConfig
from harness.errors import ConfigError


def _all_lines(text: str) -> tuple[str, ...]:
    return tuple(text.strip().split("\n"))


def _filled_lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.splitlines() if line)


def _is_there(_text: str) -> bool:
    return True


# Folder, and in it PACKAGE/FOLDER.txt -> the field of PackageConfig, and how gok reads it.
_KINDS: dict[str, tuple[str, Callable[[str], object]]] = {
    "flags": ("command_line_flags", _all_lines),
    "buildflags": ("go_build_flags", _filled_lines),
    "buildtags": ("go_build_tags", _filled_lines),
    "env": ("environment", _all_lines),
    "dontstart": ("dont_start", _is_there),
    "waitforclock": ("wait_for_clock", _is_there),
}
FOLDERS = tuple(_KINDS)
"""Where those files lie in the instance's folder."""


def with_old_layout(config: Config, folder: Path, notes: list[str]) -> Config:
    """The configuration with what those files say, if they count; raises ConfigError for one that cannot be read.

    ``notes`` gets a sentence for each file that is of no package of the instance.
    """
    if config.package_config:
        return config
    packages = {*config.packages, *config.gokrazy_packages}
    found: dict[str, PackageConfig] = {}
    for kind, (field, read) in _KINDS.items():
        name = f"{kind}.txt"
        for path in sorted((folder / kind).rglob(name)):
            package = path.parent.relative_to(folder / kind).as_posix()
            if package not in packages:
                notes.append(f"{path.relative_to(folder)} is of no package of the instance, and ignored")
                continue
            try:
                value = read(path.read_text("utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{name} cannot be read: {error}", where=str(path)) from error
            settings = found.get(package, PackageConfig())
            # The table above pairs names and types.
            found[package] = dataclasses.replace(settings, **{field: value})  # type: ignore[arg-type]
    return dataclasses.replace(config, package_config=found) if found else config

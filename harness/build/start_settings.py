"""How init starts a program: gok looks its settings up by the last element of its path on the device.

PackageConfig is keyed by import path, but gok keeps of that only Basename, else the last element (mapKeyBasename
in its buildinit.go). So the settings of example.com/tool/v2 are looked for under v2, and never reach the program
``tool``; and two packages whose paths end alike share theirs. The device is what gok makes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from harness.build.config import Config, PackageConfig

_FIELDS = {
    "command_line_flags": "CommandLineFlags",
    "environment": "Environment",
    "dont_start": "DontStart",
    "wait_for_clock": "WaitForClock",
}


class StartSettings:
    """What init knows of each program, by the name that gok keeps."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._by_name: dict[str, PackageConfig] = {}
        self._packages: dict[str, list[str]] = {}
        for package, settings in config.package_config.items():
            name = settings.basename or _last(package)
            known = self._by_name.get(name, PackageConfig())
            missing = {
                field: getattr(settings, field)
                for field in _FIELDS
                if getattr(settings, field) and not getattr(known, field)
            }
            self._by_name[name] = dataclasses.replace(known, **missing)
            self._packages.setdefault(name, []).append(package)

    def of(self, path: str) -> PackageConfig:
        """The settings of the program at this path of the device; only those that init acts upon are set."""
        return self._by_name.get(_last(path), PackageConfig())

    def notes(self, programs: Mapping[str, str]) -> Iterator[str]:
        """One sentence for each program that is not started as its own PackageConfig says.

        ``programs`` maps paths on the device to import paths.
        """
        for path, package in programs.items():
            own, got = self._config.package(package), self.of(path)
            for field, name in _FIELDS.items():
                wanted, found = getattr(own, field), getattr(got, field)
                if wanted == found:
                    continue
                if not found:
                    where = self._config.where(f'$.PackageConfig["{package}"].{name}')
                    kept = own.basename or _last(package)
                    yield f"{where}: gok looks for {kept} and not for {path}, so it has no {name}: set Basename"
                else:
                    others = [other for other in self._packages[_last(path)] if other != package]
                    yield f"{path} has the {name} of {', '.join(others)}: gok knows packages by their last element"


def _last(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]

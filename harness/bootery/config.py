"""bootery.toml: on which bakeries a repository's images are tried, and which boards a bakery is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.boards import Board, board
from harness.errors import ConfigError, OptionError

SLUGS, BAKERIES = "slugs", "bakeries"
EXAMPLE = '[slugs]\n"gokrazy/kernel.arm64" = ["virt"]'
_SLUG = re.compile(r"[\w.-]+/[\w.-]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
"""What a client writes into its instance as the host name."""


@dataclass(frozen=True)
class Bakery:
    """A device of the bootery, as the protocol has it: what is sent to it is tried on each of its boards."""

    name: str
    """Also the host name of the instance that is packed for it: the identifiers of its disk follow from that."""
    boards: tuple[Board, ...]


@dataclass(frozen=True)
class Config:
    """The bakeries of each repository."""

    slugs: Mapping[str, tuple[Bakery, ...]]

    @property
    def bakeries(self) -> dict[str, Bakery]:
        """All bakeries by their names."""
        return {bakery.name: bakery for bakeries in self.slugs.values() for bakery in bakeries}

    @property
    def boards(self) -> tuple[Board, ...]:
        """All boards of all bakeries, each once."""
        return tuple({one.name: one for bakery in self.bakeries.values() for one in bakery.boards}.values())


def read_config(path: Path) -> Config:
    """The configuration in a file; raises ConfigError that names line and key."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise ConfigError(
            f"the bootery's configuration cannot be read: {reason}",
            where=str(path),
            hint=f"write one, for instance:\n{EXAMPLE}",
        ) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"this is no TOML: {error}", where=str(path)) from None
    return _Reader(path, text).config(data)


class _Reader:
    """Reads what TOML holds, and knows on which line each key stands."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def config(self, data: Mapping[str, Any]) -> Config:
        for key in data:
            if key not in (SLUGS, BAKERIES):
                raise self._wrong(f"there is no table {key}", key, hint=f"the tables are {SLUGS} and {BAKERIES}")
        named = {name: self._bakery(name, boards) for name, boards in self._table(data, BAKERIES).items()}
        slugs = self._table(data, SLUGS)
        if not slugs:
            raise self._wrong("it names no repository", SLUGS, hint=f"for instance:\n{EXAMPLE}")
        for slug in slugs:
            if not _SLUG.fullmatch(slug):
                raise self._wrong(f"{slug!r} is no OWNER/REPOSITORY", slug, hint='put it in quotes: "owner/repo"')
        config = Config({slug: self._bakeries(slug, bakeries, named) for slug, bakeries in slugs.items()})
        for name in named:
            if name not in config.bakeries:
                raise self._wrong(f"no repository uses the bakery {name}", name, hint=f"name it under {SLUGS}")
        return config

    def _bakeries(self, slug: str, names: object, named: Mapping[str, Bakery]) -> tuple[Bakery, ...]:
        return tuple(
            named[name] if name in named else self._bakery(name, [name], key=slug)
            for name in self._names(slug, names, "bakeries")
        )

    def _bakery(self, name: str, boards: object, *, key: str = "") -> Bakery:
        """A bakery by its name; ``key`` is where it stands, if it is no key itself."""
        key = key or name
        if not _HOST.fullmatch(name):
            raise self._wrong(f"{name!r} is no host name", key, hint=f"letters, digits, hyphens; see {BAKERIES}")
        try:
            found = tuple(board(one) for one in self._names(key, boards, "boards"))
        except OptionError as error:
            hint = f"{error.hint}; or say under {BAKERIES} what {name} is"
            raise self._wrong(error.what, key, hint=hint) from None
        families = {one.family for one in found}
        if len(families) > 1:
            what = f"the boards of {name} run different images: {', '.join(sorted(families))}"
            raise self._wrong(what, key, hint="make a bakery of each")
        return Bakery(name, found)

    def _names(self, key: str, value: object, what: str) -> list[str]:
        good = isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)
        if not isinstance(value, list) or not good:
            raise self._wrong(f"{key!r} is no list of {what}", key, hint=f'write {what} as ["virt"]')
        if len(set(value)) < len(value):
            raise self._wrong(f"{key!r} names one of its {what} twice", key)
        return value

    def _table(self, data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        table = data.get(name, {})
        if not isinstance(table, dict):
            raise self._wrong(f"{name} is no table", name, hint=f"begin it with [{name}]")
        return table

    def _wrong(self, what: str, key: str, *, hint: str = "") -> ConfigError:
        begins = re.compile(rf"\s*\[?\s*[\"']?{re.escape(key)}(?![\w.-])")
        line = next((number for number, text in enumerate(self._lines, 1) if begins.match(text)), 0)
        return ConfigError(what, where=f"{self._path}{f', line {line}' if line else ''}", hint=hint)

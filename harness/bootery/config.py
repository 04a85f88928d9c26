"""bootery.toml: on which bakeries a repository's images are tried, and which boards a bakery is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.boards import Board, board
from harness.bump.accepted import Accepted, read
from harness.bump.times import LEAST, MOST
from harness.errors import ConfigError, OptionError

SLUGS, BAKERIES, COMPARE = "slugs", "bakeries", "compare"
AGAINST, BOARDS, ACCEPT, PAIRS = "against", "boards", "accept", "pairs"
LAST = "last"
EXAMPLE = '[slugs]\n"gokrazy/kernel.arm64" = ["virt"]'
_SLUG = re.compile(r"[\w.-]+/[\w.-]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
"""What a client writes into its instance as the host name."""


@dataclass(frozen=True)
class Comparison:
    """What an upload that boots is compared with, and where."""

    against: Path | None
    """A finished image; None for the last upload that passed."""
    boards: tuple[Board, ...]
    accepted: tuple[Accepted, ...] = ()
    pairs: int | None = None
    """How often both sides start on each board; None for as often as their times ask for."""


@dataclass(frozen=True)
class Bakery:
    """A device of the bootery, as the protocol has it: what is sent to it is tried on each of its boards."""

    name: str
    """Also the host name of the instance that is packed for it: the identifiers of its disk follow from that."""
    boards: tuple[Board, ...]
    comparison: Comparison | None = None


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
        found: dict[str, Board] = {}
        for bakery in self.bakeries.values():
            compared = bakery.comparison.boards if bakery.comparison is not None else ()
            found.update({one.name: one for one in (*bakery.boards, *compared)})
        return tuple(found.values())


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
            if key not in (SLUGS, BAKERIES, COMPARE):
                hint = f"the tables are {SLUGS}, {BAKERIES} and {COMPARE}"
                raise self._wrong(f"there is no table {key}", key, hint=hint)
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
        compared = self._comparisons(data, config)
        return Config(
            {slug: tuple(compared.get(one.name, one) for one in config.slugs[slug]) for slug in config.slugs}
        )

    def _comparisons(self, data: Mapping[str, Any], config: Config) -> dict[str, Bakery]:
        """The bakeries that compare, by their names."""
        found = {}
        for name, said in self._table(data, COMPARE).items():
            if name not in config.bakeries:
                known = ", ".join(config.bakeries)
                raise self._wrong(f"there is no bakery {name}", f"{COMPARE}.{name}", hint=f"there are: {known}")
            if not isinstance(said, dict):
                raise self._wrong(f"{name} is no table", name, hint=f"begin it with [{COMPARE}.{name}]")
            bakery = config.bakeries[name]
            found[name] = replace(bakery, comparison=self._comparison(bakery, said))
        return found

    def _comparison(self, bakery: Bakery, said: Mapping[str, Any]) -> Comparison:
        known = (AGAINST, BOARDS, ACCEPT, PAIRS)
        for key in said:
            if key not in known:
                raise self._wrong(f"there is no key {key}", key, hint=f"the keys are {', '.join(known)}")
        boards = bakery.boards
        if BOARDS in said:
            boards = self._bakery(bakery.name, said[BOARDS], key=BOARDS).boards
            if boards[0].family != bakery.boards[0].family:
                raise self._wrong(f"these boards run other images than {bakery.name}", BOARDS)
        pairs = said.get(PAIRS)
        if pairs is not None and (type(pairs) is not int or not 1 <= pairs <= MOST):
            what = f"{pairs!r} is no number of pairs from 1 to {MOST}"
            raise self._wrong(what, PAIRS, hint=f"times are judged from {LEAST} pairs on")
        against = self._text(said, AGAINST, LAST)
        path = None if against == LAST else self._path.parent / Path(against).expanduser()
        if path is not None and not path.is_file():
            raise self._wrong(f"there is no image {path}", AGAINST, hint=f"name one, or write {LAST!r}")
        return Comparison(path, boards, self._accepted(said), pairs)

    def _accepted(self, said: Mapping[str, Any]) -> tuple[Accepted, ...]:
        if not (name := self._text(said, ACCEPT, "")):
            return ()
        try:
            return read(self._path.parent / Path(name).expanduser())
        except OptionError as error:
            what = error.what.removeprefix("--accept: ")
            raise ConfigError(f"{ACCEPT}: {what}", where=error.where, hint=error.hint) from None

    def _text(self, said: Mapping[str, Any], key: str, usual: str) -> str:
        value = said.get(key, usual)
        if not isinstance(value, str):
            raise self._wrong(f"{value!r} is no text", key, hint=f'write {key} = "..."')
        return value

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

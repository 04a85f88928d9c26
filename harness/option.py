"""One option of a run: everything that is known of it, in one row.

A record's field begins with its row: ``memory: int = Option("memory", ...).default(0)``. Command lines, ini files,
messages and documentation are made from the rows.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from harness.errors import OptionError

T = TypeVar("T")
Reader = Callable[[object], object]
"""Makes the field's value of what was said; its OptionError need not name the option."""
Place = Callable[[str, Path], bool]
"""Whether a word is a path: gets it as it was said and as an absolute path. Other words are names."""

_ROW = "option"


def path_always(_word: str, _path: Path) -> bool:
    """Every word is a path."""
    return True


def path_if_there(_word: str, path: Path) -> bool:
    """A word is a path if something is there."""
    return path.exists()


@dataclass(frozen=True)
class Option:
    """One option: ``name`` without the ``gk`` prefix."""

    name: str
    help: str
    kind: Literal["text", "flag", "list", "lines"] = "text"
    """``lines`` is a list of which each line of a file is a whole word, with blanks and backslashes."""
    metavar: str = ""
    choices: tuple[str, ...] = ()
    reader: Reader | None = None
    """None if the value is kept as it was said."""
    place: Place | None = None
    """None if it never is a path."""
    is_read: bool = False
    """Whether it names a file that must be readable before the run begins."""
    commands: tuple[str, ...] = ()
    """The commands of gokharness that have it as a flag of their own; the others take it after ``--``."""
    called: str = ""
    """Its name there, if that is another one."""
    gok: bool = False
    """Whether gok can build what this asks for; if not, only the own packer can. For options of a build."""
    field: str = ""
    """The field that it fills; set by ``rows``."""

    def default(self, value: T) -> T:
        """The field that this option fills, and its value if nothing is said."""
        made: Any = dataclasses.field(default=value, metadata={_ROW: self})
        return made  # type: ignore[no-any-return]

    def made_by(self, make: Callable[[], T]) -> T:
        """Like ``default``, for a value that depends on where the program runs."""
        made: Any = dataclasses.field(default_factory=make, metadata={_ROW: self})
        return made  # type: ignore[no-any-return]

    @property
    def flag(self) -> str:
        """As it stands on the command line of pytest."""
        return f"--gk-{self.name}"

    @property
    def ini(self) -> str:
        """As it stands in pytest.ini, tox.ini or pyproject.toml."""
        return f"gk_{self.name.replace('-', '_')}"

    def flag_of(self, command: str) -> str:
        """As it stands on the command line of ``gokharness COMMAND``; "" is pytest's."""
        if not command:
            return self.flag
        return f"--{self.called or self.name}" if command in self.commands else f"-- {self.flag}"

    def read(self, value: object) -> object:
        """The field's value, from what was said; raises OptionError naming the option."""
        if self.choices and value not in self.choices:
            raise OptionError(
                f"{self.flag} does not know {value!r}", hint=f"choose from: {', '.join(self.choices)}"
            )
        try:
            return value if self.reader is None else self.reader(value)
        except OptionError as error:
            raise OptionError(f"{self.flag}: {error.what}", where=error.where, hint=error.hint) from None

    def located(self, value: object, folder: Path) -> object:
        """The value with its paths made absolute; a relative path begins at ``folder``. Raises OptionError.

        What could be a name too is a path if there is something, or if it is written like one.
        """
        if self.place is None or value is None:
            return value
        if isinstance(value, list | tuple):
            return [self._located(self.place, str(one), folder) for one in value]
        return self._located(self.place, str(value), folder)

    def _located(self, is_path: Place, word: str, folder: Path) -> str:
        if not word:
            raise OptionError(f"{self.flag} is empty", hint=f"give it as {self.flag} {self.metavar}")
        try:
            path = folder.absolute() / Path(word).expanduser()
        except RuntimeError:
            raise OptionError(f"{self.flag} {word}: there is no such user", hint="write the whole path") from None
        if not word.startswith((".", "/", "~")) and not is_path(word, path):
            return word
        if ".." in path.parts:
            path = path.resolve() if path.name == ".." else path.parent.resolve() / path.name
        return str(path)


def rows(record: type) -> tuple[Option, ...]:
    """The options that fill a dataclass, in the order of its fields."""
    return tuple(
        dataclasses.replace(one.metadata[_ROW], field=one.name)
        for one in dataclasses.fields(record)
        if _ROW in one.metadata
    )


def words(value: object) -> tuple[str, ...]:
    """Each word that a list was given, from the command line or a file."""
    return tuple(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else (str(value),)


def names(value: object) -> tuple[str, ...]:
    """The words, split at commas."""
    return tuple(part.strip() for word in words(value) for part in word.split(",") if part.strip())


def path(value: object) -> Path:
    """A path that was made absolute before."""
    return Path(str(value))


def whole(unit: str, least: int, most: int) -> Reader:
    """Reads a whole number of these, within bounds."""

    def reader(value: object) -> int:
        text = str(value).strip()
        if not text.isdecimal() or not least <= int(text) <= most:
            raise OptionError(f"{text!r} is not a number of {unit}", hint=f"from {least} to {most}")
        return int(text)

    return reader


def factor(value: object) -> float:
    """A number above 0."""
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not number > 0:
        raise OptionError(f"{value!r} is not a number above 0", hint="for example 2.5")
    return number


def boards(value: object) -> tuple[str, ...]:
    """Names, at least one."""
    found = names(value)
    if not found:
        raise OptionError("no board is named", hint="leave it out for the default boards")
    return found


def share(value: object) -> tuple[int, int]:
    """Which share of how many: ``2/3``."""
    found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", str(value).strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise OptionError(f"{value!r} is not a share of a run", hint="for example 2/3: the second of 3")
    return int(found[1]), int(found[2])

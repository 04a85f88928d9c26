"""A JSON reader that remembers on which line every value stands, for errors a reader can act on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Literal, NoReturn

from harness.errors import ConfigError

Kind = Literal["object", "array", "string", "number", "bool", "null"]

_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS: dict[str, tuple[Kind, bool | None]] = {
    "true": ("bool", True),
    "false": ("bool", False),
    "null": ("null", None),
}
_DEEPEST = 100


@dataclass(frozen=True)
class Node:
    """A JSON value, its JSON path and the line (counted from 1) on which it begins."""

    kind: Kind
    value: str | bool | None
    """The text of a string or a number as written; None for objects, arrays and null."""
    path: str
    line: int
    members: tuple[tuple[str, Node], ...] = field(default=())
    """The members of an object in their order, repeated names included."""
    items: tuple[Node, ...] = field(default=())


def member_path(parent: str, name: str) -> str:
    """The JSON path of a member: ``$.Update`` for a plain name, ``$["a/b"]`` for any other."""
    if _PLAIN_NAME.fullmatch(name):
        return f"{parent}.{name}"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{parent}["{quoted}"]'


def parse(text: str, file: Path) -> Node:
    """Read one JSON document; raises ConfigError with file, line and JSON path when it is none."""
    reader = _Reader(text, file)
    node = reader.value("$", 0)
    reader.end()
    return node


class _Reader:
    """Strict JSON as Go's encoding/json accepts it, with messages for what people write instead."""

    def __init__(self, text: str, file: Path) -> None:
        self.text = text
        self.file = file
        self.at = 0

    def line(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1

    def fail(self, what: str, path: str, *, at: int | None = None, hint: str = "") -> NoReturn:
        line = self.line(self.at if at is None else at)
        raise ConfigError(
            f"{self.file.name} is no JSON: {what}",
            where=f"{self.file}:{line} ({path})",
            hint=hint or "mend this line, or the one before it",
        )

    def skip(self, path: str) -> None:
        match = _BLANK.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        if self.text.startswith(("//", "/*", "#"), self.at):
            self.fail(
                "this is a comment, and JSON has none",
                path,
                hint="delete it: gokrazy refuses the whole file for it",
            )

    def end(self) -> None:
        self.skip("$")
        if self.at < len(self.text):
            self.fail(f"there is more after the end of the document: {self._here()}", "$")

    def value(self, path: str, depth: int) -> Node:
        self.skip(path)
        if depth > _DEEPEST:
            self.fail(f"values are nested more than {_DEEPEST} deep", path)
        start, line = self.at, self.line(self.at)
        char = self.text[start : start + 1]
        if char == "{":
            return self._object(path, line, depth)
        if char == "[":
            return self._array(path, line, depth)
        if char == '"':
            return Node("string", self._string(path), path, line)
        if number := _NUMBER.match(self.text, start):
            self.at = number.end()
            return Node("number", number.group(), path, line)
        for word, (kind, value) in _WORDS.items():
            if self.text.startswith(word, start):
                self.at = start + len(word)
                return Node(kind, value, path, line)
        return self.fail(f"a value is expected here, found {self._here()}", path)

    def _here(self) -> str:
        if self.at >= len(self.text):
            return "the end of the file"
        return repr(self.text[self.at : self.at + 12].split("\n")[0])

    def _string(self, path: str) -> str:
        start = self.at
        try:
            value, self.at = scanstring(self.text, start + 1, True)
        except ValueError as error:
            self.fail(f"this string is not valid JSON: {getattr(error, 'msg', error)}", path, at=start)
        return str(value)

    def _object(self, path: str, line: int, depth: int) -> Node:
        self.at += 1
        members: list[tuple[str, Node]] = []
        self.skip(path)
        if self._take("}"):
            return Node("object", None, path, line)
        while True:
            self.skip(path)
            if self.text[self.at : self.at + 1] != '"':
                if members and self.text.startswith("}", self.at):
                    self._trailing_comma(path)
                self.fail(f"a member name in double quotes is expected here, found {self._here()}", path)
            name = self._string(path)
            inner = member_path(path, name)
            self.skip(inner)
            if not self._take(":"):
                self.fail(f"':' is expected after the name {name!r}, found {self._here()}", inner)
            members.append((name, self.value(inner, depth + 1)))
            self.skip(inner)
            if self._take("}"):
                return Node("object", None, path, line, members=tuple(members))
            if not self._take(","):
                self.fail(f"',' or '}}' is expected after this value, found {self._here()}", inner)

    def _array(self, path: str, line: int, depth: int) -> Node:
        self.at += 1
        items: list[Node] = []
        self.skip(path)
        if self._take("]"):
            return Node("array", None, path, line)
        while True:
            inner = f"{path}[{len(items)}]"
            self.skip(inner)
            if items and self.text.startswith("]", self.at):
                self._trailing_comma(path)
            items.append(self.value(inner, depth + 1))
            self.skip(inner)
            if self._take("]"):
                return Node("array", None, path, line, items=tuple(items))
            if not self._take(","):
                self.fail(f"',' or ']' is expected after this value, found {self._here()}", inner)

    def _trailing_comma(self, path: str) -> NoReturn:
        comma = self.text.rfind(",", 0, self.at)
        self.fail("a comma stands after the last value", path, at=comma, hint="delete the comma")

    def _take(self, char: str) -> bool:
        if self.text.startswith(char, self.at):
            self.at += 1
            return True
        return False

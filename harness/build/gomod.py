"""go.mod files of an instance: which one a package is built with, and a staged copy of it to build in.

The instance is never written to. Each go.mod is copied into a folder of its own, where its local replacements are
links named after the module: so no path of this machine gets into a binary, and Go may complete the copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|`([^`]*)`|(//.*)|([^\s"`]+)')
LINKS = "local"
"""The folder in a staged module that holds the links to local replacements."""


@dataclass(frozen=True)
class Replace:
    """One replace directive; ``line`` counts from 0."""

    line: int
    in_block: bool
    old: str
    old_version: str
    new: str
    new_version: str

    @property
    def is_local(self) -> bool:
        """Whether it points to a folder of this machine."""
        return self.new.startswith(("./", "../", "/")) or self.new in (".", "..")


@dataclass(frozen=True)
class GoMod:
    """What a go.mod says, as far as building needs it."""

    text: str
    module: str
    requires: Mapping[str, str]
    replaces: tuple[Replace, ...]


def parse_gomod(text: str, where: str) -> GoMod:
    """Read a go.mod; raises ConfigError for a directive that is cut off (Go checks the rest)."""
    module = ""
    requires: dict[str, str] = {}
    replaces: list[Replace] = []
    block = ""
    for number, line in enumerate(text.splitlines()):
        tokens = _tokens(line)
        if not tokens:
            continue
        if block:
            if tokens == [")"]:
                block = ""
                continue
            word, rest = block, tokens
        else:
            word, rest = tokens[0], tokens[1:]
            if rest == ["("]:
                block = word
                continue
        try:
            if word == "module":
                module = rest[0]
            elif word == "require":
                requires[rest[0]] = rest[1]
            elif word == "replace":
                arrow = rest.index("=>")
                old, new = rest[:arrow], rest[arrow + 1 :]
                replaces.append(
                    Replace(
                        number,
                        bool(block),
                        old[0],
                        old[1] if len(old) > 1 else "",
                        new[0],
                        new[1] if len(new) > 1 else "",
                    )
                )
        except (IndexError, ValueError):
            raise ConfigError(f"this {word} directive is incomplete", where=f"{where}:{number + 1}") from None
    return GoMod(text, module, requires, tuple(replaces))


def _tokens(line: str) -> list[str]:
    found: list[str] = []
    for match in _TOKEN.finditer(line):
        quoted, raw, comment, plain = match.groups()
        if comment is not None:
            break
        if plain is not None and "//" in plain and not plain.startswith(("http:", "https:")):
            plain = plain.split("//")[0]
            if plain:
                found.append(plain)
            break
        found.append(next(part for part in (quoted, raw, plain) if part is not None))
    return found


@dataclass(frozen=True)
class ModuleRoot:
    """A go.mod of the instance, and what has to be linked beside a copy of it."""

    folder: Path | None
    """Where the go.mod lies; None when the instance has none for its packages."""
    packages: tuple[str, ...]
    """The import paths (or patterns) that are built with it."""
    label: str
    """Its place, from the instance's folder on."""
    text: str
    """The go.mod with its local replacements pointing to links."""
    sums: str
    links: Mapping[str, Path]
    """Name of a link -> the folder it stands for."""
    own_packages: bool
    """Whether some of the packages lie in the main module itself."""
    mod: GoMod

    def stage(self, folder: Path) -> None:
        """Write the copy into this folder, which must not exist yet."""
        (folder / LINKS).mkdir(parents=True)
        (folder / "go.mod").write_text(self.text, encoding="utf-8")
        (folder / "go.sum").write_text(self.sums, encoding="utf-8")
        for name, target in self.links.items():
            (folder / LINKS / name).symlink_to(target, target_is_directory=True)
        if self.own_packages and self.folder is not None:
            for entry in self.folder.iterdir():
                if entry.name not in ("go.mod", "go.sum", LINKS):
                    (folder / entry.name).symlink_to(entry)

    def real_paths(self, text: str) -> str:
        """A compiler's message with the links replaced by what they stand for."""
        for name, target in self.links.items():
            # A backslash in a replacement would be taken for a group, and a folder's name may hold one.
            real = str(target).replace("\\", r"\\")
            text = re.sub(rf"(?:\./)?{LINKS}/{re.escape(name)}(?=[/:\s]|$)", real, text)
        return text


def module_roots(instance: Path, packages: Sequence[str]) -> tuple[ModuleRoot, ...]:
    """Group packages by the go.mod that gokrazy would build them with; raises ConfigError.

    That is the nearest one searched upwards from builddir/<import path>, else the instance's own go.mod, which
    gok copies into a new builddir, else an empty one.
    """
    grouped: dict[Path | None, list[str]] = {}
    for package in dict.fromkeys(packages):
        folder = _folder_for(instance, package)
        grouped.setdefault(folder, []).append(package)
    return tuple(_root(instance, folder, names) for folder, names in grouped.items())


def _folder_for(instance: Path, package: str) -> Path | None:
    top = instance / "builddir"
    folder = top / package.removesuffix("/...")
    while True:
        if (folder / "go.mod").is_file():
            return folder
        if folder == top or top not in folder.parents:
            break
        folder = folder.parent
    return instance if (instance / "go.mod").is_file() else None


def _root(instance: Path, folder: Path | None, packages: Sequence[str]) -> ModuleRoot:
    if folder is None:
        text, sums, label = "module gokrazy/build/instance\n", "", "no go.mod in builddir"
    else:
        label = (folder.relative_to(instance) / "go.mod").as_posix()
        try:
            text = (folder / "go.mod").read_text("utf-8")
            sum_file = folder / "go.sum"
            sums = sum_file.read_text("utf-8") if sum_file.is_file() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"go.mod or go.sum cannot be read: {error}", where=str(folder)) from error
    mod = parse_gomod(text, label)
    links: dict[str, Path] = {}
    lines = text.splitlines()
    for replace in mod.replaces:
        if not replace.is_local or folder is None:
            continue
        target = (folder / replace.new).resolve()
        if not target.is_dir():
            raise ConfigError(
                f"the replacement for {replace.old} is not there: {target}",
                where=f"{folder / 'go.mod'}:{replace.line + 1}",
                hint="correct the path, or drop the replace directive",
            )
        name = "__".join(part for part in (replace.old.replace("/", "__"), replace.old_version) if part)
        links[name] = target
        left = f"{replace.old} {replace.old_version}".rstrip()
        lines[replace.line] = f"{'' if replace.in_block else 'replace '}{left} => ./{LINKS}/{name}"
    return ModuleRoot(
        folder=folder,
        packages=tuple(packages),
        label=label,
        text="\n".join(lines) + "\n",
        sums=sums,
        links=links,
        own_packages=any(
            bool(mod.module) and (package == mod.module or package.startswith(f"{mod.module}/"))
            for package in packages
        ),
        mod=mod,
    )

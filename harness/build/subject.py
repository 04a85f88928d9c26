"""Subject: what a run tests, as its options name it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.option import Option, path, path_always


def is_image(name: str | Path) -> bool:
    """Whether a path is that of a finished image, and of no instance."""
    return Path(name).is_file() and Path(name).name != "config.json"


def option_of(name: str | Path) -> str:
    """The ini name of the option that names this to pytest: as an image, or as an instance."""
    return "gk_image" if is_image(Path(name).expanduser()) else "gk_instance"


def _is_instance(word: str, path: Path) -> bool:
    """Whether a word is the path of an instance or a file; not if only gok knows an instance of that name."""
    # Imported here: reading an instance takes more than ``pytest --help`` needs.
    from harness.build.instance import parent_dir

    if path.is_dir() and not (path / "config.json").is_file():
        return not (parent_dir() / word / "config.json").is_file()
    return path.exists()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is tested; the project's own images where nothing is named."""

    instance: str | None = Option(
        "instance",
        "gokrazy instance to build and test: a folder, or a name under ~/gokrazy",
        metavar="DIR|NAME",
        place=_is_instance,
    ).default(None)
    image: Path | None = Option(
        "image",
        "finished disk image to test instead: raw, .gz, .xz, .zst, qcow2 or .gaf",
        metavar="FILE",
        reader=path,
        place=path_always,
    ).default(None)
    next_image: str | None = Option(
        "next-image",
        "image or instance that the update scenarios install",
        metavar="FILE|DIR",
        place=_is_instance,
        commands=("check",),
        called="next",
    ).default(None)
    from_image: str | None = Option(
        "from",
        "older image or instance: boot it, update it to what is tested, and go back",
        metavar="FILE|DIR",
        place=_is_instance,
        commands=("check",),
    ).default(None)

    @property
    def is_own(self) -> bool:
        """Whether the project's own images are tested, so that no scenario may be skipped."""
        return self.instance is None and self.image is None

"""Images: what a run tests and what it updates to, each built or read once, with its update files."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from harness import boards
from harness.appliance.gok_config import GokConfig, Reached
from harness.appliance.wanted import is_path
from harness.boards import Board
from harness.build.boot_names import boot_names
from harness.build.build import build, check
from harness.build.cache import Cache, NotKept
from harness.build.instance import Instance, load_instance
from harness.build.request import BuildOptions, BuildRequest
from harness.errors import BoardMismatch, HarnessError, ModuleUnavailable, OptionError
from harness.image.load import image_from_file
from harness.image.model import PERM_TITLES, Image, UpdateFiles
from harness.image.update_files import update_files
from harness.lab.folders import Folders
from harness.lab.gok_config import gok_config
from harness.lab.journal import Journal
from harness.options import Settings
from harness.package_data import images_folder

OPTIONAL = ("tailnet", "tailnet-links")
"""Families of the project's own whose modules not every proxy serves: their tests are skipped then."""
FROM = "from"
"""The family of the image that ``--gk-from`` names."""


class Images:
    """The images of one process, and what is read out of them.

    A family is a name, or the path of an instance or image that a test of its owner's names.
    """

    def __init__(self, settings: Settings, folders: Folders, journal: Journal) -> None:
        self.settings = settings
        self._folders = folders
        self._journal = journal
        self._open = ExitStack()
        self._images: dict[tuple[str, str], Image] = {}
        self._given: dict[tuple[str, int, int, int], Image] = {}
        self._sources: dict[str, str] = {}
        """Digest of an image -> the file or instance that it was made of last."""
        self._files: dict[str, UpdateFiles] = {}
        self._unavailable: dict[tuple[str, str], str] = {}
        self._missing: set[tuple[str, str]] = set()
        self._names: tuple[frozenset[str] | None] | None = None

    @cached_property
    def _cache(self) -> Cache:
        return self._open.enter_context(Cache(self.settings.cache_root))

    @cached_property
    def _kept(self) -> Cache:
        """The same folder, for who must not build: it raises NotKept instead."""
        return self._open.enter_context(Cache(self.settings.cache_root, may_make=False))

    def misfit(self, board: Board) -> str:
        """Return why the board cannot start what is to be tested, "" when it can; builds nothing.

        Of an instance, that is what its kernel and firmware packages contain: its image is looked at once built.
        """
        if self.settings.is_own:
            return ""
        if self.settings.image is not None:
            return board.misfit(self.given(str(self.settings.image)))
        instance = load_instance(str(self.settings.instance))
        if other := board.other_than(instance.arch):
            return other
        if not board.boot_files:
            return ""
        if not instance.config.firmware_package:
            return f"it has no FirmwarePackage, and {board.name} starts from the Raspberry Pi's firmware files"
        names = self._boot_names(instance)
        return board.missing(names) if names is not None else ""

    def _boot_names(self, instance: Instance) -> frozenset[str] | None:
        """The boot files of the instance's packages, looked up once; None for gokrazy's own ones for a Pi."""
        if self._names is None:
            request = self._request(str(self.settings.instance))
            self._names = (boot_names(request, instance, self._folders.folder("boards")),)
        return self._names[0]

    def check(self) -> None:
        """Raise what a build of the instance under test would raise before it builds anything."""
        if self.settings.instance is not None:
            check(self._request(self.settings.instance), self._folders.folder("check"))

    def kind(self, board: Board) -> str:
        """Boards of the same kind run the same image."""
        return board.family if self.settings.is_own else board.arch

    def _instance(self, board: Board, family: str) -> str:
        if is_path(family):
            return family
        return self.settings.instance or str(images_folder() / f"{family}-{board.family}")

    def image(self, board: Board, family: str) -> Image:
        """The image under test for this board, built when that was not done yet; raises BoardMismatch."""
        key = (self.kind(board), family)
        if key not in self._images:
            self._images[key] = self._from(self._cache, board, family)
        return fitting(self._images[key], board)

    def unavailable(self, board: Board, family: str) -> str:
        """Return why the image of an optional family cannot be built here, "" where it can."""
        if family not in OPTIONAL or not self.settings.is_own:
            return ""
        key = (self.kind(board), family)
        if key not in self._unavailable:
            self._unavailable[key] = ""
            try:
                self.image(board, family)
            except ModuleUnavailable as error:
                self._unavailable[key] = error.what
        return self._unavailable[key]

    def _from(self, cache: Cache, board: Board, family: str) -> Image:
        """The image under test: read from its file, else taken from this cache, or built into it."""
        if family == FROM:
            return self._subject(str(self.settings.from_image), cache)
        if is_path(family):
            return self._subject(family, cache)
        if self.settings.image is not None:
            return self.given(str(self.settings.image))
        return self._build(self._instance(board, family), cache)

    def instance(self, board: Board, family: str) -> Instance:
        """The instance that the image under test is built from."""
        of_older = family == FROM and self.settings.from_image
        return load_instance(of_older or self._instance(board, family))

    def is_here(self, board: Board, family: str) -> bool:
        """Whether ``image`` would build nothing: it is a file, or was built before."""
        named = self.settings.from_image if family == FROM else self.settings.image
        key = (self.kind(board), family)
        if key not in self._images and not (named and Path(named).is_file()) and key not in self._missing:
            try:
                self._images[key] = self._from(self._kept, board, family)
                fitting(self._images[key], board)
            except (NotKept, HarnessError, OSError):
                # What is wrong with it is said where it is needed.
                self._missing.add(key)
        return key not in self._missing

    def next_image(self, board: Board, family: str) -> Image:
        """What an update installs: what was given, else the instance built once more, by the same builder.

        What was released is updated to the image under test.
        """
        if family == FROM:
            return self.image(board, "hello")
        if self.settings.next_image is not None:
            return fitting(self._subject(self.settings.next_image, self._cache), board)
        if self.settings.image is not None:
            return self.image(board, family)
        key = (self.kind(board), f"{family}+next")
        if key not in self._images:
            first = self.image(board, family)
            self._images[key] = self._build(self._instance(board, family), self._cache, first)
        return self._images[key]

    def _subject(self, name: str, cache: Cache) -> Image:
        """An image file as it is, or an instance built."""
        return self.given(name) if Path(name).is_file() else self._build(name, cache)

    def build(self, instance: str, *, options: BuildOptions | None = None) -> Image:
        """Build an instance, or take it from the cache; ``options`` are other ones than those of the run."""
        return self._build(instance, self._cache, options=options)

    def _build(
        self, instance: str, cache: Cache, after: Image | None = None, *, options: BuildOptions | None = None
    ) -> Image:
        request = BuildRequest.of(instance, options or self.settings, after=after)
        started = time.monotonic()
        image = build(request, cache=cache, progress=self._journal.say)
        self._journal.built(f"{image.hostname}{' next' if after else ''}", time.monotonic() - started)
        self._sources[image.digest] = instance
        return self._with_perm(image)

    def _request(self, instance: str) -> BuildRequest:
        """What is to be built, as this run's options want it."""
        return BuildRequest.of(instance, self.settings)

    def close(self) -> None:
        """Let others prune the images of this run from the cache."""
        self._open.close()

    def given(self, name: str) -> Image:
        """A finished image, read once for as long as its file stays the same."""
        key = name, *_state_of(Path(name))
        if key not in self._given:
            work = self._folders.folder("given")
            image = image_from_file(Path(name), work=work, password=self.settings.password)
            self._given[key] = self._with_perm(image)
        self._sources[self._given[key].digest] = name
        return self._given[key]

    def source_of(self, image: Image) -> str:
        """The file or instance that an image of this run was made of, "" where that is not known."""
        return self._sources.get(image.digest, "")

    def _with_perm(self, image: Image) -> Image:
        """The image with /perm as this run wants it, where its file has it otherwise; raises OptionError."""
        wanted = self.settings.perm
        if wanted is None or image.perm == wanted:
            return image
        if image.layout.perm is None:
            raise OptionError("--gk-perm: the image has no permanent partition", where=str(image.path))
        made = {"ext4": "formatted", "blank": "made blank"}[wanted]
        was = PERM_TITLES[image.perm]
        note = f"/perm is {made} on each appliance's own disk (--gk-perm {wanted}): in the image it is {was}"
        return replace(image, perm=wanted, perm_is_made=True, notes=(*image.notes, note))

    def gok_config(self, image: Image, reached: Reached) -> GokConfig:
        """What gok needs to talk to a device that runs this image; raises OptionError for one of no instance."""
        return gok_config(self.source_of(image), reached)

    def update_files(self, image: Image) -> UpdateFiles:
        """The three files of an update to this image, cut out once."""
        if image.digest not in self._files:
            self._files[image.digest] = update_files(image, self._folders.folder("update"))
        return self._files[image.digest]


def _state_of(path: Path) -> tuple[int, int, int]:
    """What changes when a file does; of one that is not there, nothing."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


def fitting(image: Image, board: Board) -> Image:
    """The image, if the board can start it; else raises BoardMismatch."""
    reason = board.misfit(image)
    if reason:
        others = ", ".join(one.name for one in boards.boards() if not one.misfit(image))
        raise BoardMismatch(
            f"{image.path.name} ({image.hostname}) cannot run on the board {board.name}: {reason}",
            where=str(image.path),
            hint=f"boards that can: {others or 'none'}",
        )
    return image

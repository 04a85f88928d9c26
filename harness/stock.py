"""Stock: the images of a run, built or read once: the one under test, the one to update to, their update files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.boards import Board
from harness.errors import BoardMismatch
from harness.image.model import Arch, Image, UpdateFiles
from harness.options import Settings
from harness.shipped import images_folder

if TYPE_CHECKING:
    from harness.image.cache import Cache

FROM = "from"
"""The family of the image that ``--gk-from`` names."""
SERIAL = {"amd64": "ttyS0,115200", "arm64": "ttyAMA0,115200"}
"""The SerialConsole that ``--gk-serial`` asks for."""
NEXT = {"/etc/gokrazy-harness/release": "next\n"}
"""What the next image has in its root file system beyond the one under test, so that the two differ in content."""


class Stock:
    """The images of one process; ``folder`` makes folders for temporary files, ``say`` hears what takes long."""

    def __init__(
        self, settings: Settings, *, folder: Callable[[str], Path], say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.settings = settings
        self.build_seconds: dict[str, float] = {}
        """How long each build (or taking it from the cache) took."""
        self._folder = folder
        self._say = say
        self._cache: Cache | None = None
        self._images: dict[tuple[str, str], Image] = {}
        self._given: dict[str, Image] = {}
        self._files: dict[str, UpdateFiles] = {}

    def arch(self) -> Arch | None:
        """The architecture of what is to be tested; None for the project's own images, which come for each."""
        if self.settings.instance is not None:
            from harness.image.instance import load_instance

            return load_instance(self.settings.instance).arch
        if self.settings.image is not None:
            return self.given(str(self.settings.image)).arch
        return None

    def image(self, board: Board, family: str) -> Image:
        """The image under test for this board; builds it when that was not done yet."""
        key = (board.arch, family)
        if key not in self._images:
            if family == FROM:
                image = self.subject(str(self.settings.from_image))
            elif self.settings.image is not None:
                image = self.given(str(self.settings.image))
            else:
                image = self.build(self.settings.instance or str(images_folder() / f"{family}-{board.arch}"))
            self._images[key] = image
        image = self._images[key]
        if image.arch != board.arch:
            raise BoardMismatch(
                f"{image.path.name} is built for {image.arch}, and the board {board.name} is {board.arch}",
                hint=f"choose a board of {image.arch}",
            )
        return image

    def next_image(self, board: Board, family: str) -> Image:
        """What an update installs: what was given, else the instance once more with one more file in it.

        What was released is updated to the image under test.
        """
        if family == FROM:
            return self.image(board, "hello")
        if self.settings.next_image is not None:
            return self.subject(self.settings.next_image)
        if self.settings.image is not None:
            return self.image(board, family)
        key = (board.arch, f"{family}+next")
        if key not in self._images:
            instance = self.settings.instance or str(images_folder() / f"{family}-{board.arch}")
            self._images[key] = self.build(instance, variation="next")
        return self._images[key]

    def subject(self, name: str) -> Image:
        """An image file as it is, or an instance built."""
        return self.given(name) if Path(name).expanduser().is_file() else self.build(name)

    def build(self, instance: str, *, variation: str = "") -> Image:
        """Build an instance, or take it from the cache; a variation differs from it by one file in /etc."""
        from harness.image.build import BuildRequest, build
        from harness.image.cache import Cache, default_root
        from harness.image.instance import load_instance

        settings = self.settings
        if self._cache is None:
            self._cache = Cache(settings.cache or default_root())
        request = BuildRequest(
            instance=instance,
            builder=settings.builder,
            kernel=settings.kernel,
            with_modules=settings.with_modules,
            serial=SERIAL[load_instance(instance).arch] if settings.serial else None,
            perm=settings.perm,
            timestamp=settings.timestamp,
            fast_boot=settings.fast_boot,
            extra_files=NEXT if variation else {},
        )
        started = time.monotonic()
        image = build(request, cache=self._cache, progress=self._say)
        self.build_seconds[f"{image.hostname} {variation}".strip()] = time.monotonic() - started
        return image

    def close(self) -> None:
        """Let others prune the images of this run from the cache."""
        if self._cache is not None:
            self._cache.close()
            self._cache = None

    def given(self, name: str) -> Image:
        """A finished image, read once."""
        if name not in self._given:
            from harness.image.load import image_from_file

            password = None
            if self.settings.password_file is not None:
                password = self.settings.password_file.read_text().strip()
            self._given[name] = image_from_file(
                Path(name).expanduser(), work=self._folder("given"), password=password
            )
        return self._given[name]

    def update_files(self, image: Image) -> UpdateFiles:
        """The three files of an update to this image, cut out once."""
        if image.digest not in self._files:
            from harness.image.update_files import update_files

            self._files[image.digest] = update_files(image, self._folder("update"))
        return self._files[image.digest]

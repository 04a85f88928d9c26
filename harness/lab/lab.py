"""Lab: what the tests of one process share: the boards, the images, and what makes appliances of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harness import boards
from harness.appliance.abilities import NOT
from harness.appliance.wanted import Wanted
from harness.boards import Board
from harness.errors import HarnessError
from harness.lab.boards import boards_of_run
from harness.lab.folders import Folders
from harness.lab.foreseen import foreseen
from harness.lab.images import OPTIONAL, Images
from harness.lab.journal import Journal
from harness.options import Settings

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.image.model import Image
    from harness.lab.starts import Starts

OWN = ("crasher", "field", *OPTIONAL)
"""The families of images that nobody else has."""


class Lab:
    """Made cheaply: what starts machines is loaded when the first appliance is prepared or asked for.

    ``say`` prints what takes long. ``shared`` is a folder of the process that this one works for: what is booted
    for tests is kept there for all who do.
    """

    def __init__(
        self, settings: Settings, *, shared: Path | None = None, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.settings = settings
        self.journal = Journal(say)
        self.folders = Folders(self.journal)
        self.images = Images(settings, self.folders, self.journal)
        self.failed_start: Callable[[Appliance, HarnessError], None] = lambda *_: None
        """Called with an appliance that does not come up, before it ends."""
        self._shared = shared
        self._starts: Starts | None = None

    @cached_property
    def boards(self) -> tuple[Board, ...]:
        """The boards of this run; raises BoardMismatch, OptionError."""
        return boards_of_run(self.settings, self.images, self.journal.note_once)

    @property
    def starts(self) -> Starts:
        """What makes the appliances, and all that it takes on this host."""
        if self._starts is None:
            # Imported here: it loads QEMU's side, which listing and collecting tests do without.
            from harness.lab.starts import Starts

            self._starts = Starts(self.settings, self.folders, self.images, self.journal, shared=self._shared)
            self._starts.failed_start = self.failed_start
        return self._starts

    def prepare(self, needed: Mapping[tuple[str, str], bool]) -> None:
        """Find QEMU and make every image that the tests will need; reports what was made.

        ``needed`` maps board and family to whether there are tests that update.
        """
        from harness.lab.preparation import prepare

        prepare(self.starts, needed)

    def board(self, name: str) -> Board:
        """The board of this name; raises OptionError for a name that is none."""
        return boards.board(name)

    def next_image(self, board: Board, family: str) -> Image:
        """What an update of this family installs."""
        return self.images.next_image(board, family)

    def skip_reason(self, wanted: Wanted) -> str:
        """Return why a test that wants this is skipped, "" when it runs."""
        starts = self.starts
        if reason := starts.qemus.too_old.get(wanted.board.name, ""):
            return reason
        if reason := self._no_such_image(wanted):
            return reason
        if why := self.images.unavailable(wanted.board, wanted.family):
            return f"{NOT}{why}"
        image = self.images.image(wanted.board, wanted.family)
        return starts.targets.of(wanted.board, image).missing(wanted.abilities)

    def foreseen_skip(self, wanted: Wanted) -> str:
        """Return what ``skip_reason`` will, as far as that is known before an image is built."""
        if reason := self._no_such_image(wanted):
            return reason
        if self.images.is_here(wanted.board, wanted.family):
            return self.skip_reason(wanted)
        instance = self.images.instance(wanted.board, wanted.family)
        return foreseen(
            instance, wanted.abilities, serial=self.settings.serial, no_checkpoint=wanted.board.no_checkpoint
        )

    def _no_such_image(self, wanted: Wanted) -> str:
        family = wanted.family
        if family in OWN and not self.settings.is_own:
            return f"{NOT}it needs the project's own {family} image"
        return ""

    def appliance(self, wanted: Wanted) -> AbstractContextManager[Appliance]:
        """An appliance of its own for whoever asks, gone when the ``with`` block ends.

        Where a test wants it running, it is ready then, after a cold start or restored from a snapshot.
        """
        return self.starts.appliance(wanted)

    def room_kept(self, wanted: Wanted) -> AbstractContextManager[None]:
        """Room for appliances such as this one, one after the other, until the ``with`` block ends.

        Starts that are compared are then not kept apart by a wait for others.
        """
        return self.starts.room_kept(wanted)

    def starts_warm(self, wanted: Wanted) -> bool:
        """Whether what is wanted starts from a snapshot."""
        return self.starts.is_warm(wanted)

    def live(self, name: str) -> Appliance | None:
        """The last appliance that was made under this name, also after its end; None when there was none."""
        return self._starts.live.get(name) if self._starts is not None else None

    def accelerator_so_far(self, name: str) -> str:
        """The accelerator of a board by name, "" when none was needed yet."""
        return self._starts.accelerators.so_far(name) if self._starts is not None else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def abandon(self) -> None:
        """End every machine, from any thread, and let none start: whoever uses the lab fails, and closes it."""
        self.folders.run_dir.guard.close()

    def close(self) -> None:
        """End every machine and remove every disk."""
        if self._starts is not None:
            self._starts.close()
            self._starts = None
        self.folders.close()
        self.images.close()

"""Versus: an upload that boots, compared with the one before, or with a finished image, as a bump is."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.bootery.candidate import Candidate
from harness.bootery.config import Bakery, Comparison
from harness.bump.accepted import accepted
from harness.bump.bump import Depth, Sides, bump, with_port
from harness.bump.compare import Row
from harness.bump.render import markdown, ordered, sentence
from harness.errors import ApplianceFault, HarnessError, InternalError
from harness.lab.lab import Lab
from harness.options import Settings

NAME = "bump.md"
NEW = "what was uploaded"
MOST_NAMED = 5
"""Regressions that are named in the answer; all of them are in the comparison."""


@dataclass
class Versus:
    """What became of a comparison; it fails for a regression, and where nobody could find out."""

    bakery: str
    said: str = ""
    """What came of it, in a line."""
    path: Path | None = None
    """Where all of it is, None where nothing was compared."""
    error: HarnessError | None = None
    report: Path | None = None
    log: str = field(default="", init=False)
    """The console is that of the try-outs."""

    @property
    def passed(self) -> bool:
        """Whether nothing is worse."""
        return self.error is None

    @property
    def title(self) -> str:
        """The bakery, and what this is."""
        return f"{self.bakery} (comparison)"

    @property
    def summary(self) -> str:
        """What came of it, and where all of it is."""
        said = self.said if self.error is None else str(self.error)
        lines = [f"{self.title}: {said}"]
        return "\n".join([*lines, *([f"{self.title}: all of it: {self.path}"] if self.path else [])])


class Before:
    """The last upload of each bakery that passed, kept in a private folder while the bootery runs."""

    def __init__(self, folder: Callable[[str], Path]) -> None:
        self._folder = folder
        self._kept: dict[tuple[str, bool], tuple[Path, str]] = {}
        self._changing = threading.Lock()

    def of(self, bakery: Bakery, *, with_root: bool) -> tuple[Path, str] | None:
        """Its disk, and what it is called; with or without a root file system of its own, as what is compared."""
        with self._changing:
            return self._kept.get((bakery.name, with_root))

    def keep(self, bakery: Bakery, candidate: Candidate) -> None:
        """Keep what has passed in place of what was kept before; only one test of a bakery runs at a time."""
        disk = self._folder("before") / f"{bakery.name}.img"
        shutil.move(candidate.image.path, disk)
        title = f"the upload of {time.strftime('%Y-%m-%d %H:%M:%S')}"
        with self._changing:
            old = self._kept.get((bakery.name, candidate.with_root))
            self._kept[bakery.name, candidate.with_root] = (disk, title)
        if old is not None:
            shutil.rmtree(old[0].parent, ignore_errors=True)


def settings_for(settings: Settings) -> Settings:
    """Those of a lab that compares; /perm is made for both sides, as one of them may come without any."""
    return replace(with_port(settings), perm="ext4")


def compare(
    lab: Lab, bakery: Bakery, candidate: Candidate, before: Before, *, logs: Path, say: Callable[[str], None]
) -> Versus:
    """Compare as the bakery's configuration says; what goes wrong is in the result."""
    versus, asked = Versus(bakery.name), bakery.comparison
    if asked is None:
        raise InternalError(f"{bakery.name} compares with nothing")
    try:
        old = _older(asked, bakery, candidate, before)
        if old is None:
            versus.said = "nothing to compare with yet: no upload has passed since this bootery began"
            return versus
        sides = Sides(lab.images.given(str(old[0])), lab.images.given(str(candidate.image.path)), old[1], NEW)
        depth = Depth.of_pairs(asked.pairs)
        rows = accepted(bump(lab, sides, say=say, depth=depth, boards=asked.boards), asked.accepted)
        versus.path = logs / NAME
        versus.path.write_text(markdown(rows, sides), "utf-8")
        versus.said = f"with {old[1]}: {sentence(rows)}"
        versus.error = _regression(rows, versus.said)
    except HarnessError as error:
        # What was uploaded has booted: only a row may speak against it.
        error.excuse("what was uploaded boots; it could not be compared")
        versus.error = error
    return versus


def _older(asked: Comparison, bakery: Bakery, candidate: Candidate, before: Before) -> tuple[Path, str] | None:
    if asked.against is not None:
        return asked.against, asked.against.name
    return before.of(bakery, with_root=candidate.with_root)


def _regression(rows: list[Row], said: str) -> ApplianceFault | None:
    worse = [row for row in ordered(rows) if row.is_regression]
    if not worse:
        return None
    named = [f"{row.board}: {row.what}: {row.why}" for row in worse[:MOST_NAMED]]
    return ApplianceFault(said, evidence="\n".join(named))

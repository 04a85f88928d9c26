"""The comparison: both sides booted in turn on each board, asked, made to do things, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.appliance.wanted import Wanted
from harness.boards import Board
from harness.bump.compare import BOOTS, LEAST_RATES, SECONDS, Row, Starts, Verdict, compared, size_row
from harness.bump.facts import Programs
from harness.bump.measured import DEEDS, Measured, measure
from harness.bump.times import LEAST, MOST
from harness.bump.traffic import PORT
from harness.errors import ApplianceFault, OptionError
from harness.image.model import Image
from harness.lab.images import fitting
from harness.lab.lab import Lab
from harness.machine.ports import Port
from harness.options import Settings

ASKED = 3
"""Pairs in which the device is asked by probes."""
UPDATE = "update from the old to the new, and back"
VERSIONS = "kernel and modules are of one version"
BOOT_SIZE, ROOT_SIZE = "boot file system", "root file system"
GIVEN_UP = 2
"""Starts of a side that fail before no more are made."""


@dataclass(frozen=True)
class Sides:
    """What is compared."""

    old: Image
    new: Image
    old_title: str
    new_title: str


def with_port(settings: Settings) -> Settings:
    """The settings of a run that compares: with the port through which bulk traffic goes, and each start made."""
    return replace(settings, forward=(*settings.forward, Port(PORT)), boot_again=True)


def sides(lab: Lab, against: str, titles: tuple[str, str]) -> Sides:
    """Both images, under their titles: an instance built with and without what is new, or two finished images.

    Raises OptionError where nothing is new.
    """
    settings = lab.settings
    if settings.image is not None:
        if not Path(against).is_file():
            raise OptionError(
                "a finished image is compared with another one",
                where=against or str(settings.image),
                hint="name the older image: --against FILE",
            )
        return Sides(lab.images.given(against), lab.images.given(str(settings.image)), *titles)
    instance = str(settings.instance)
    if not settings.kernel and not settings.with_modules:
        raise OptionError(
            "nothing is new, so there is nothing to compare",
            where=instance,
            hint="name what is new: --gk-kernel MODULE@VERSION|DIR, or --gk-with MODULE@VERSION",
        )
    older = replace(settings, kernel=against or None, with_modules=())
    old, new = lab.images.build(instance, options=older), lab.images.build(instance)
    return Sides(old, new, *titles)


@dataclass(frozen=True)
class Depth:
    """How much is looked at, in pairs of starts: all of it, or what a single row takes."""

    least: int = LEAST
    most: int = MOST
    asked: int = ASKED
    """Pairs in which the device is asked by probes."""
    deeds: bool = True
    update: bool = True

    @classmethod
    def of_pairs(cls, pairs: int | None) -> Depth:
        """All rows, by so many pairs; None for as many as their times ask for."""
        return cls() if pairs is None else cls(pairs, pairs, min(pairs, ASKED))

    @classmethod
    def of_row(cls, what: str) -> Depth:
        """What it takes to see this row."""
        if what == UPDATE:
            return cls(0, 0, 0, deeds=False)
        if what in DEEDS:
            return cls(1, 1, 0, update=False)
        if what in (VERSIONS, BOOT_SIZE, ROOT_SIZE):
            return cls(0, 0, 0, deeds=False, update=False)
        if what == SECONDS:
            return cls(asked=0, deeds=False, update=False)
        if what == BOOTS or what.startswith("console"):
            pairs, asked = (1, 0) if what == BOOTS else (2, 0)
        else:
            pairs = asked = LEAST_RATES if what.startswith(("traffic", "writing", "reading")) else 1
        return cls(pairs, pairs, asked, deeds=False, update=False)


def bump(
    lab: Lab,
    what: Sides,
    *,
    say: Callable[[str], None],
    depth: Depth = Depth(),
    boards: Sequence[Board] | None = None,
) -> Iterator[Row]:
    """The rows of these boards, or of all boards of the run; each board's when it is done."""
    programs = Programs(lab.folders.folder("probes"), what.new.arch) if depth.asked else None
    for board in lab.boards if boards is None else boards:
        fitting(what.old, board)
        fitting(what.new, board)
        yield from _of_images(lab, board, what)
        starts = _starts(lab, board, what, _Means(programs, depth, say))
        if depth.most:
            yield from compared(starts)
        fell = any(one.failed for one in (*starts.old, *starts.new))
        if depth.update and not fell:
            say(f"{board.name}: {UPDATE}")
            yield _update(lab, board, what)


def _of_images(lab: Lab, board: Board, what: Sides) -> Iterator[Row]:
    mismatch = {side: _mismatch(image) for side, image in (("old", what.old), ("new", what.new))}
    verdict = Verdict.WORSE if mismatch["new"] and not mismatch["old"] else Verdict.SAME
    yield Row(board.name, VERSIONS, verdict, mismatch["new"])
    old, new = (lab.images.update_files(image) for image in (what.old, what.new))
    room = what.old.layout
    sizes = {
        BOOT_SIZE: (old.boot, new.boot, room.boot.size),
        ROOT_SIZE: (old.root, new.root, room.root_a.size),
    }
    for name, (was, now, most) in sizes.items():
        yield size_row(board.name, name, was.stat().st_size, now.stat().st_size, most)


def _mismatch(image: Image) -> str:
    kernel = image.kernel
    if kernel.fits_modules:
        return ""
    return f"vmlinuz is {kernel.release}, and the modules are of {', '.join(kernel.modules)}"


def _goes_on(starts: Starts, depth: Depth) -> bool:
    """Whether another pair is needed."""
    pairs = len(starts.new)
    if pairs >= depth.most:
        return False
    if max(sum(bool(one.failed) for one in side) for side in (starts.old, starts.new)) >= GIVEN_UP:
        return False
    found = starts.ratio
    return pairs < depth.least or found is None or found.judgement == "open"


@dataclass(frozen=True)
class _Means:
    """What a series takes beside its images."""

    programs: Programs | None
    depth: Depth
    say: Callable[[str], None]


def _starts(lab: Lab, board: Board, what: Sides, means: _Means) -> Starts:
    old, new = list[Measured](), list[Measured]()
    starts, depth = Starts(board.name, old, new), means.depth
    number = 0
    while _goes_on(starts, depth):
        # In turn, and each first once: whoever comes second finds warmer caches.
        turns = [("old", what.old, old), ("new", what.new, new)]
        for side, image, found in turns if number % 2 == 0 else reversed(turns):
            wanted = Wanted(board, f"bump-{board.name}-{side}-{number + 1}", running=False, cold=True, image=image)
            with lab.appliance(wanted) as appliance:
                programs = means.programs if number < depth.asked else None
                one = measure(appliance, programs, DEEDS if depth.deeds and number == 0 else {})
            means.say(f"{board.name}: {side} {number + 1}: {one.failed or f'ready after {one.ready:.1f} s'}")
            found.append(one)
        number += 1
    return starts


def _update(lab: Lab, board: Board, what: Sides) -> Row:
    """Whether the old one can be updated to the new one over the network, and back.

    Where that fails, the same is tried with nothing new: only what then works is a regression.
    """
    if board.slow_upload:
        return Row(board.name, UPDATE, Verdict.UNSEEN, "an upload takes many minutes on this board")
    wrong = _updated(lab, board, what.old, what.new)
    if not wrong or isinstance(wrong, _CannotUpdate):
        return Row(board.name, UPDATE, Verdict.UNSEEN if wrong else Verdict.SAME, str(wrong))
    before = _updated(lab, board, what.old, what.old)
    if before:
        return Row(board.name, UPDATE, Verdict.SAME, f"neither can be: {before}")
    return Row(board.name, UPDATE, Verdict.WORSE, wrong)


class _CannotUpdate(str):
    """Why an image takes no update at all."""


def _updated(lab: Lab, board: Board, first: Image, then: Image) -> str:
    """What goes wrong with an update from one image to another and back, "" when nothing does."""
    wanted = Wanted(board, f"bump-{board.name}-update", running=False, cold=True, image=first)
    with lab.appliance(wanted) as appliance:
        try:
            appliance.power_on()
            appliance.wait_until_ready()
            if lack := appliance.missing("http"):
                return _CannotUpdate(lack)
            appliance.update(then)
            appliance.update(first)
        except ApplianceFault as error:
            appliance.explain(error)
            return error.what
    return ""

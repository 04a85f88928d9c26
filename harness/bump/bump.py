"""The comparison: both sides booted in turn on each board, asked, made to do things, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from harness.appliance.wanted import Wanted
from harness.boards import Board
from harness.bump.compare import BOOTS, LEAST_RATES, SECONDS, Row, Starts, Verdict, compared, size_row
from harness.bump.deeds import DEEDS, what_of
from harness.bump.facts import Programs
from harness.bump.measured import ASKING, Measured, Task, measure
from harness.bump.segment import between
from harness.bump.times import LEAST, MOST, timed
from harness.bump.traffic import PORT, SIZE, TRANSFERS
from harness.errors import ApplianceFault, OptionError, UserError
from harness.image.model import Image
from harness.lab.images import fitting
from harness.lab.lab import Lab
from harness.machine.ports import Port
from harness.options import Settings

UPDATE = "update from the old to the new, and back"
TOGETHER = "traffic between two of it on one segment"
FLIP = "each update runs from the other slot"
VERSIONS = "kernel and modules are of one version"
BOOT_SIZE, ROOT_SIZE = "boot file system", "root file system"
GIVEN_UP = 2
"""Starts of a side that fail before no more are made."""
CONFIRMED = 2
"""Pairs that a row takes which one start alone may get wrong."""
SIZE_AGAIN = 16 << 20
"""Bytes of one transfer in later pairs."""


@dataclass(frozen=True)
class Sides:
    """What is compared."""

    old: Image
    new: Image
    old_title: str
    new_title: str


class NoNewSide(UserError):
    """The new side cannot be built, and the old one can."""

    def __init__(self, error: UserError) -> None:
        super().__init__(
            f"the new side cannot be built: {error.what}",
            where=error.where,
            hint=error.hint,
            evidence=error.evidence,
        )


def with_port(settings: Settings) -> Settings:
    """The settings of a run that compares: with the port through which bulk traffic goes, and each start made."""
    return replace(settings, forward=(*settings.forward, Port(PORT)), boot_again=True)


def sides(lab: Lab, settings: Settings, against: str, titles: tuple[str, str]) -> Sides:
    """Both images, under their titles: an instance built with and without what is new, or two finished images.

    ``settings`` say what is new.

    Raises OptionError where nothing is new, and NoNewSide.
    """
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
    old = lab.images.build(instance, options=older)
    try:
        new = lab.images.build(instance, options=settings)
    except UserError as error:
        raise NoNewSide(error) from error
    return Sides(old, new, *titles)


@dataclass(frozen=True)
class Depth:
    """How much is looked at, in pairs of starts: all of it, or what a single row takes."""

    least: int = LEAST
    most: int = MOST
    asked: int = LEAST_RATES
    """Pairs in which the device is asked by probes."""
    traffic: bool = True
    console: bool = True
    deeds: tuple[str, ...] = tuple(deed.name for deed in DEEDS)
    update: bool = True
    together: bool = True
    """Whether two of one side carry bytes to each other."""
    row: str = ""
    """The only row that counts, beyond the least pairs."""
    confirms: bool = True
    """Whether more pairs confirm a row that is worse; else they are made until it is."""

    @property
    def starts(self) -> bool:
        """Whether a machine is started at all."""
        return bool(self.most or self.update or self.together)

    @classmethod
    def of_pairs(cls, pairs: int | None) -> Depth:
        """All rows, by so many pairs; None for as many as their times ask for."""
        return cls() if pairs is None else cls(pairs, pairs, min(pairs, LEAST_RATES))

    @classmethod
    def of_row(cls, what: str) -> Depth:
        """What it takes to see this row."""
        no_pair = cls(0, 0, 0, traffic=False, console=False, deeds=(), update=False, together=False)
        if what == TOGETHER:
            return replace(no_pair, together=True)
        if what in (UPDATE, FLIP):
            return replace(no_pair, update=True)
        if what in (VERSIONS, BOOT_SIZE, ROOT_SIZE):
            return no_pair
        if what in cls().deeds:
            return replace(no_pair, least=1, most=1, deeds=(what,))
        if what == SECONDS:
            return replace(no_pair, least=LEAST, most=MOST)
        if what == BOOTS:
            return replace(no_pair, least=1, most=1)
        if what.startswith("console"):
            return replace(no_pair, least=1, most=CONFIRMED, console=True, row=what)
        if what.startswith(("traffic", "writing", "reading")):
            # A stall needs one pair, and a throughput all of them.
            rates = replace(no_pair, least=1, most=LEAST_RATES, asked=LEAST_RATES, row=what, confirms=False)
            return replace(rates, traffic=what.startswith("traffic"))
        # A device that comes up late may be missing once.
        return replace(no_pair, least=1, most=CONFIRMED, asked=CONFIRMED, row=what)


def of_row(what: str, rows: Sequence[Row]) -> list[Row]:
    """The rows of this name, or those that made it impossible to see; none where there is no such row."""
    return [one for one in rows if one.what == what] or [
        one for one in rows if one.is_regression and one.what in (BOOTS, ASKING)
    ]


Known = dict[tuple[str, str, Depth], Measured]
"""Starts of old sides, by board, image and what was looked at."""


def bump(
    lab: Lab,
    what: Sides,
    *,
    say: Callable[[str], None],
    depth: Depth = Depth(),
    known: Known | None = None,
    boards: Sequence[Board] | None = None,
) -> Iterator[Row]:
    """The rows of these boards, or of all boards of the run; each board's when it is done.

    Where one start of each side is enough, that of an old side which came up is kept in ``known``, and not made
    again: nothing that the two sides share is measured then.
    """
    programs = Programs(lab.folders.folder("probes"), what.new.arch)
    if depth.asked or depth.deeds or depth.together:
        # No machine waits for it.
        programs.build(probes=bool(depth.asked))
    means = _Means(programs, depth, say, known if known is not None else {})
    for board in lab.boards if boards is None else boards:
        fitting(what.old, board)
        fitting(what.new, board)
        took = dict[str, float]()
        with timed(took, "images"):
            yield from _of_images(lab, board, what)
        room: AbstractContextManager[None] = nullcontext()
        if depth.starts:
            room = lab.room_kept(Wanted(board, f"bump-{board.name}", running=False, cold=True, image=what.old))
        with room:
            starts = _starts(lab, board, what, means)
            if depth.most:
                yield from compared(starts)
            every = (*starts.old, *starts.new)
            comes_up = not any(one.failed for one in every)
            if depth.update and comes_up:
                say(f"{board.name}: {UPDATE}")
                with timed(took, "updates"):
                    yield from _update(lab, board, what)
            if depth.together and comes_up:
                say(f"{board.name}: {TOGETHER}")
                with timed(took, "two of it"):
                    yield _together(lab, board, what, means.programs)
        for one in every:
            for part, seconds in one.took.items():
                took[part] = took.get(part, 0.0) + seconds
        parts = ", ".join(f"{part} {seconds:.0f}" for part, seconds in took.items())
        say(f"{board.name}: {sum(took.values()):.0f} s, of which {parts}")


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
    if pairs < depth.least:
        return True
    if depth.row:
        return depth.confirms == any(row.is_regression for row in compared(starts) if row.what == depth.row)
    found = starts.ratio
    return found is None or found.judgement == "open"


@dataclass(frozen=True)
class _Means:
    """What a series takes beside its images."""

    programs: Programs
    depth: Depth
    say: Callable[[str], None]
    known: Known

    def task(self, starts: Starts) -> Task:
        """What is done with both starts of the next pair."""
        number = min(len(starts.old), len(starts.new))
        first = number == 0
        # A stall or damage shows in the first; a throughput takes less, so the others are for that alone.
        size = SIZE if first else SIZE_AGAIN
        # Whoever stalled takes a minute to say so again.
        bad = {name for one in (*starts.old, *starts.new) if one.facts is not None for name in one.facts.of("bad")}
        fell = not bad.isdisjoint(map(str, TRANSFERS))
        return Task(
            self.programs,
            asks=number < self.depth.asked,
            carries=size if self.depth.traffic and (first or not fell) else 0,
            deeds=[deed for deed in DEEDS if first and deed.name in self.depth.deeds],
            hears=self.depth.console,
        )


def _starts(lab: Lab, board: Board, what: Sides, means: _Means) -> Starts:
    old, new = list[Measured](), list[Measured]()
    starts = Starts(board.name, old, new)
    while _goes_on(starts, means.depth):
        number, task = len(new), means.task(starts)
        # In turn, and each first once: whoever comes second finds warmer caches.
        turns = [("old", what.old, old), ("new", what.new, new)]
        for side, image, found in turns if number % 2 == 0 else reversed(turns):
            kept = board.name, image.digest, means.depth
            if side == "old" and kept in means.known:
                found.append(means.known[kept])
                continue
            wanted = Wanted(board, f"bump-{board.name}-{side}-{number + 1}", running=False, cold=True, image=image)
            with lab.appliance(wanted) as appliance:
                one = measure(appliance, task)
            means.say(f"{board.name}: {side} {number + 1}: {one.failed or f'ready after {one.ready:.1f} s'}")
            found.append(one)
            if side == "old" and means.depth.most == 1 and not one.failed:
                # Its time was told once.
                means.known[kept] = replace(one, took={})
    return starts


def _update(lab: Lab, board: Board, what: Sides) -> Iterator[Row]:
    """Whether the old one can be updated to the new one over the network, and back, each time to the other slot.

    Where that fails, the same is tried with nothing new: only what then works is a regression.
    """
    if board.slow_upload:
        yield Row(board.name, UPDATE, Verdict.UNSEEN, "an upload takes many minutes on this board")
        return
    went = _updated(lab, board, what.old, what.new)
    if went.cannot:
        yield Row(board.name, UPDATE, Verdict.UNSEEN, went.cannot)
        return
    before = _updated(lab, board, what.old, what.old) if went.wrong or went.stays else went
    for name, now, was in ((UPDATE, went.wrong, before.wrong), (FLIP, went.stays, before.stays)):
        if name == FLIP and went.wrong:
            yield Row(board.name, name, Verdict.UNSEEN, "the update goes wrong")
        elif now and was:
            yield Row(board.name, name, Verdict.SAME, f"neither does: {was}")
        else:
            yield Row(board.name, name, Verdict.WORSE if now else Verdict.SAME, now)


def _together(lab: Lab, board: Board, what: Sides, programs: Programs) -> Row:
    """Whether two of the new one carry bytes to each other; where not, whether two of the old one do."""
    if board.slow_upload:
        return Row(board.name, TOGETHER, Verdict.UNSEEN, "its network is slow")
    wrong, remark = _carries(lab, board, what.new, programs)
    if not wrong:
        return Row(board.name, TOGETHER, Verdict.UNSEEN if remark else Verdict.SAME, remark)
    before, _ = _carries(lab, board, what.old, programs)
    if before:
        return Row(board.name, TOGETHER, Verdict.SAME, f"neither does: {before}")
    return Row(board.name, TOGETHER, Verdict.WORSE, wrong)


def _carries(lab: Lab, board: Board, image: Image, programs: Programs) -> tuple[str, str]:
    """What goes wrong between two appliances of an image, and why that cannot be tried."""
    with ExitStack() as ends:
        pair = [
            ends.enter_context(
                lab.appliance(Wanted(board, f"bump-{board.name}-{one}", running=False, cold=True, image=image))
            )
            for one in ("first", "second")
        ]
        try:
            for one in pair:
                one.power_on()
            for one in pair:
                one.wait_until_ready()
            if lack := pair[0].missing("breakglass"):
                return "", lack
            bad = between(pair, programs).of("bad")
        except ApplianceFault as error:
            return what_of(error, pair[0]), ""
    return "; ".join(f"{name}: {why}" for name, why in bad.items()), ""


@dataclass(frozen=True)
class _Went:
    """How an update went, and one back."""

    cannot: str = ""
    """Why the image takes no update at all."""
    wrong: str = ""
    stays: str = ""
    """Why it did not run from the other slot each time."""


def _updated(lab: Lab, board: Board, first: Image, then: Image) -> _Went:
    """Update from one image to another, and back."""
    wanted = Wanted(board, f"bump-{board.name}-update", running=False, cold=True, image=first)
    with lab.appliance(wanted) as appliance:
        try:
            appliance.power_on()
            appliance.wait_until_ready()
            if lack := appliance.missing("http"):
                return _Went(cannot=lack)
            if appliance.missing("slot"):
                appliance.update(then)
                appliance.update(first)
                return _Went()
            slots = [appliance.slot]
            for image in (then, first):
                appliance.update(image)
                slots.append(appliance.slot)
        except ApplianceFault as error:
            return _Went(wrong=what_of(error, appliance))
    flips = slots[0] != slots[1] != slots[2]
    return _Went(stays="" if flips else f"it ran from the slots {', then '.join(slots)}")

"""Two sides compared, row by row: same, better, worse, or what could not be looked at."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.bump.facts import Facts
from harness.bump.logs import difference
from harness.bump.measured import Measured
from harness.bump.times import Ratio, ratio
from harness.console.crashes import OF_BUSY_HOST

RATE_WORTH, RATE_AGREES, LEAST_RATES = 1.6, 1.3, 3
"""A throughput is worse that is so many times lower in the median, so many in each pair, of so many pairs or more:
the same side differs by less from start to start."""
SIZE_WORTH = 1.10
"""Memory that shrinks by more than this is worse."""
BOOTS, SECONDS = "boots", "seconds to the first answer"
FULL = 0.9
"""Of a partition; what takes more is soon too large for the next update."""
MOST_LINES = 10
"""Of a log, in one reason."""


class Verdict(StrEnum):
    """What a row says of the new side."""

    SAME = "same"
    BETTER = "better"
    WORSE = "worse"
    OTHER = "other"
    """It differs, and that alone is neither good nor bad."""
    UNSEEN = "not seen"
    """It could not be looked at."""


@dataclass(frozen=True)
class Row:
    """One thing that was compared on one board."""

    board: str
    what: str
    verdict: Verdict
    why: str = ""
    accepted: str = ""
    """Why somebody accepted that it is worse."""

    @property
    def is_regression(self) -> bool:
        """Whether the new side must not go out because of it."""
        return self.verdict is Verdict.WORSE and not self.accepted


@dataclass(frozen=True)
class Starts:
    """The starts of both sides on one board, in pairs, in the order in which they were made."""

    board: str
    old: Sequence[Measured]
    new: Sequence[Measured]

    @property
    def ratio(self) -> Ratio | None:
        """How much longer the new side takes to come up; None where one of them does not."""
        pairs = [(a, b) for a, b in zip(self.old, self.new, strict=True) if not (a.failed or b.failed)]
        return ratio([a.ready for a, _ in pairs], [b.ready for _, b in pairs]) if pairs else None


def compared(starts: Starts) -> list[Row]:
    """All rows of a board."""
    return [Row(starts.board, what, verdict, why) for what, verdict, why in _rows(starts)]


Compared = tuple[str, Verdict, str]


def _rows(starts: Starts) -> Iterator[Compared]:
    yield _boots(starts)
    old = [one for one in starts.old if not one.failed]
    new = [one for one in starts.new if not one.failed]
    if not old or not new:
        return
    if found := starts.ratio:
        verdicts = {"slower": Verdict.WORSE, "faster": Verdict.BETTER}
        verdict = verdicts.get(found.judgement, Verdict.SAME)
        yield SECONDS, verdict, f"{found} times as long{_phases(old, new, verdict)}"
    yield from _logs(old, new)
    yield _findings(old, new)
    yield from _facts(old, new)
    yield from _deeds(old, new)


def _boots(starts: Starts) -> Compared:
    was = next((one.failed for one in starts.old if one.failed), "")
    now = next((one.failed for one in starts.new if one.failed), "")
    never, never_was = (all(one.failed for one in side) for side in (starts.new, starts.old))
    if now and (not was or (never and not never_was)):
        before = f"; of the old one {_failures(starts.old)}" if was else ""
        return BOOTS, Verdict.WORSE, f"{now} ({_failures(starts.new)} starts{before})"
    if now:
        neither = never and never_was
        return BOOTS, Verdict.SAME, f"{'neither comes' if neither else 'both do not always come'} up: {now}"
    return BOOTS, Verdict.BETTER if was else Verdict.SAME, f"the old one did not: {was}" if was else ""


def _failures(side: Sequence[Measured]) -> str:
    return f"{sum(bool(one.failed) for one in side)} of {len(side)}"


def _phases(old: Sequence[Measured], new: Sequence[Measured], verdict: Verdict) -> str:
    """The phase in which most of a difference arises."""
    if verdict is Verdict.SAME:
        return ""
    grown = {}
    for phase in old[0].phases:
        if all(phase in one.phases for one in (*old, *new)):
            grown[phase] = statistics.median(one.phases[phase] for one in new) - statistics.median(
                one.phases[phase] for one in old
            )
    if not grown:
        return ""
    at = list(grown)
    steps = {name: grown[name] - (grown[at[number - 1]] if number else 0.0) for number, name in enumerate(at)}
    most = max(steps, key=lambda name: abs(steps[name]))
    return f"; most of it until: {most} ({steps[most]:+.1f} s)"


def _logs(old: Sequence[Measured], new: Sequence[Measured]) -> Iterator[Compared]:
    found = difference([one.log for one in old], [one.log for one in new])
    if found.new_alarms:
        yield "console: warnings and errors", Verdict.WORSE, _listed("new", found.new_alarms)
    elif found.gone_alarms:
        yield "console: warnings and errors", Verdict.BETTER, _listed("gone", found.gone_alarms)
    else:
        yield "console: warnings and errors", Verdict.SAME, ""
    if found.new or found.gone:
        text = "; ".join(filter(None, (_listed("new", found.new), _listed("gone", found.gone))))
        yield "console: other lines", Verdict.OTHER, text


def _listed(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    more = f" (and {len(lines) - MOST_LINES} more)" if len(lines) > MOST_LINES else ""
    return f"{title}: {' | '.join(lines[:MOST_LINES])}{more}"


def _findings(old: Sequence[Measured], new: Sequence[Measured]) -> Compared:
    was = {name: what for one in old for name, what in one.findings.items()}
    now = {name: what for one in new for name, what in one.findings.items()}
    fresh = {name: sum(name in one.findings for one in new) for name in now if name not in was}
    # A busy host does these to any kernel: one that is at fault says so in each start.
    chance = [name for name in fresh if name in OF_BUSY_HOST and fresh[name] < len(new)]
    if more := [f"{name}: {now[name]}" for name in fresh if name not in chance]:
        return "console checks", Verdict.WORSE, "; ".join(more)
    if chance:
        text = "; ".join(f"{name}: {now[name]} ({fresh[name]} of {len(new)} starts)" for name in chance)
        return "console checks", Verdict.OTHER, f"a busy host does so too: {text}"
    if less := [f"no longer {name}: {was[name]}" for name in was if name not in now]:
        return "console checks", Verdict.BETTER, "; ".join(less)
    return "console checks", Verdict.SAME, "; ".join(f"both: {name}: {now[name]}" for name in now)


def _facts(old: Sequence[Measured], new: Sequence[Measured]) -> Iterator[Compared]:
    was, now = _asked(old), _asked(new)
    if not was or not now:
        lack = next((one.unasked for one in (*new, *old) if one.unasked), "")
        yield "what the device says of itself", Verdict.UNSEEN, lack or "it was not asked"
        return
    yield from _devices(was, now)
    yield from _works(was, now)
    yield from _rates(was, now)
    yield from _sizes(was, now)
    yield from _options(was, now)


def _asked(starts: Sequence[Measured]) -> list[Facts]:
    return [one.facts for one in starts if one.facts is not None]


def _devices(was: Sequence[Facts], now: Sequence[Facts]) -> Iterator[Compared]:
    # A device that comes up late may be missing in one start: only what every start lacks is gone.
    ever = {name: value for one in was for name, value in one.of("device").items()}
    still = {name: value for one in now for name, value in one.of("device").items()}
    for name in sorted({*ever, *still}):
        if name not in still:
            yield name, Verdict.WORSE, "it is gone"
        elif name not in ever:
            yield name, Verdict.OTHER, "it is new"
        elif ever[name] != still[name] and len({one.of("device").get(name) for one in (*was, *now)}) == 2:
            fewer = int(still[name]) < int(ever[name])
            yield name, Verdict.WORSE if fewer else Verdict.OTHER, f"{still[name]}, was {ever[name]}"
    if not {*ever} ^ {*still}:
        yield "devices and their drivers", Verdict.SAME, f"{len(still)} kinds"


def _works(was: Sequence[Facts], now: Sequence[Facts]) -> Iterator[Compared]:
    same = 0
    broken_before = _all("bad", was)
    broken = _all("bad", now)
    good = _all("ok", now)
    good_before = _all("ok", was)
    for name in sorted({*good_before, *broken_before, *good, *broken}):
        if name in broken:
            if name not in broken_before or (_never(name, now) and not _never(name, was)):
                yield name, Verdict.WORSE, broken[name]
            else:
                neither = "neither works" if _never(name, now) else "both do not always work"
                yield name, Verdict.SAME, f"{neither}: {broken[name]}"
        elif name in broken_before:
            yield name, Verdict.BETTER, f"it did not: {broken_before[name]}"
        elif name not in good:
            yield name, Verdict.OTHER, "it is no longer there"
        elif name not in good_before:
            yield name, Verdict.OTHER, "it is new"
        else:
            same += 1
    if same:
        yield "what works on the device", Verdict.SAME, f"{same} checks"


def _never(name: str, facts: Sequence[Facts]) -> bool:
    """Whether it worked in none of these starts."""
    return not any(name in one.of("ok") and name not in one.of("bad") for one in facts)


def _all(kind: str, facts: Sequence[Facts]) -> dict[str, str]:
    return {name: value for one in facts for name, value in one.of(kind).items()}


def _rates(was: Sequence[Facts], now: Sequence[Facts]) -> Iterator[Compared]:
    for name in _all("rate", was):
        pairs = [
            (float(a.of("rate")[name]), float(b.of("rate")[name]))
            for a, b in zip(was, now, strict=False)
            if name in a.of("rate") and name in b.of("rate")
        ]
        if not pairs:
            continue
        ratios = sorted(b / a for a, b in pairs)
        median = statistics.median(ratios)
        old, new = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
        verdict = Verdict.SAME
        if len(ratios) >= LEAST_RATES and median * RATE_WORTH < 1 and ratios[-1] * RATE_AGREES < 1:
            verdict = Verdict.WORSE
        elif len(ratios) >= LEAST_RATES and median > RATE_WORTH and ratios[0] > RATE_AGREES:
            verdict = Verdict.BETTER
        yield name, verdict, f"{new:.1f} MiB/s, was {old:.1f}: {median:.2f} times"


def _sizes(was: Sequence[Facts], now: Sequence[Facts]) -> Iterator[Compared]:
    for name in _all("size", was):
        old = statistics.median(float(one.of("size")[name]) for one in was if name in one.of("size"))
        found = [float(one.of("size")[name]) for one in now if name in one.of("size")]
        if not found or not old:
            continue
        new = statistics.median(found)
        verdict = Verdict.WORSE if new * SIZE_WORTH < old else Verdict.SAME
        yield name, verdict, f"{new / 2**20:.1f} MiB, was {old / 2**20:.1f}"


def _options(was: Sequence[Facts], now: Sequence[Facts]) -> Iterator[Compared]:
    before, after = was[0].of("option"), now[0].of("option")
    if not before and not after:
        yield "configuration of the kernel", Verdict.UNSEEN, "it has no /proc/config.gz"
    else:
        yield _changes("configuration of the kernel", before, after, f"{len(after)} options")
    before, after = was[0].of("setting"), now[0].of("setting")
    if before or after:
        yield _changes("offloads of the network cards", before, after, f"{len(after)} settings")


def _changes(title: str, before: Mapping[str, str], after: Mapping[str, str], count: str) -> Compared:
    """What was lost, won and changed: shown, and no verdict."""
    lost = [name for name in before if name not in after]
    won = [name for name in after if name not in before]
    changed = [
        f"{name}={after[name]} (was {before[name]})"
        for name in before
        if before[name] != after.get(name, before[name])
    ]
    if not (lost or won or changed):
        return title, Verdict.SAME, count
    text = "; ".join(filter(None, (_listed("lost", lost), _listed("won", won), _listed("changed", changed))))
    return title, Verdict.OTHER, text


def _deeds(old: Sequence[Measured], new: Sequence[Measured]) -> Iterator[Compared]:
    was = {name: wrong for one in old for name, wrong in one.deeds.items()}
    now = {name: wrong for one in new for name, wrong in one.deeds.items()}
    for name in {**was, **now}:
        if name not in was or name not in now:
            yield name, Verdict.UNSEEN, "what came before it went wrong"
        elif now[name] and not was[name]:
            yield name, Verdict.WORSE, now[name]
        elif was[name] and not now[name]:
            yield name, Verdict.BETTER, f"it did not: {was[name]}"
        else:
            yield name, Verdict.SAME, f"neither does: {now[name]}" if now[name] else ""


def size_row(board: str, what: str, old: int, new: int, room: int) -> Row:
    """How much of its partition a file system takes, all in bytes: worse when that is soon full."""
    change = f"{new / 2**20:.1f} MiB, was {old / 2**20:.1f}; the partition has {room / 2**20:.0f}"
    verdict = Verdict.OTHER if abs(new - old) > old * (SIZE_WORTH - 1) else Verdict.SAME
    if new > room * FULL >= old:
        verdict = Verdict.WORSE
    return Row(board, what, verdict, change)

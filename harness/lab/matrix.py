"""Matrix: what an image does with each part of each board, each found out by a boot of its own."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from harness import boards
from harness.appliance.wanted import Wanted
from harness.boards import Board
from harness.boards.hardware import WATCHDOG
from harness.boards.parts import NAMES
from harness.boards.variants import lacking, parts_of
from harness.console.phases import Phase
from harness.console.watchdog import watchdog_seconds
from harness.errors import ApplianceFault, OptionError
from harness.lab.boards import must_not_differ, with_hardware
from harness.lab.lab import Lab
from harness.options import Settings

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance

LATE = 5.0
"""Seconds after its time within which a watchdog that nobody feeds has reset the machine."""
WORDS = {True: "yes", False: "no", None: "-"}


@dataclass(frozen=True)
class Row:
    """One board with one part, and what the image does there; None where that does not apply or is not known."""

    board: str
    """The name of the board that has the part."""
    asked: bool
    """Whether the exit status is about it: a board's own hardware, and parts that were named."""
    boots: bool | None = None
    """Whether init runs, from a root file system on this disk."""
    network: bool | None = None
    """Whether the web interface answers."""
    feeds: bool | None = None
    """Whether gokrazy feeds the watchdog: it is not reset within the watchdog's time."""
    seconds: float | None = None
    """From power-on until it is ready, None where it never was."""
    why: str = ""
    """What is wrong, or why it was not tried."""
    lacks: str = ""
    """What the image lacks for the part, as far as it says."""
    refused: bool = False
    """Whether QEMU or the firmware cannot have the part, so that nothing was started."""

    @property
    def is_failure(self) -> bool:
        """Whether it was asked for and does not work; all else that does not work is a fact about the image."""
        works = self.seconds is not None and self.feeds is not False
        return self.asked and not self.refused and not works

    @property
    def line(self) -> str:
        """As a person reads it."""
        if self.refused:
            return f"{self.board:<28} cannot: {self.why}"
        words = "  ".join(f"{WORDS[one]:<7}" for one in (self.boots, self.network, self.feeds))
        took = f"{self.seconds:.1f}" if self.seconds is not None else "-"
        why = self.why if self.lacks in self.why else "; ".join(filter(None, (self.lacks, self.why)))
        return f"{self.board:<28} {words}  {took:>7}  {why}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {**asdict(self), "failure": self.is_failure}


HEAD = f"{'board':<28} {'boots':<7}  {'network':<7}  {'feeds':<7}  {'seconds':>7}"


def matrix(lab: Lab, hardware: Iterable[str] = ()) -> list[Row]:
    """Boot the image on each board of the run, with its own hardware and then with these parts, or with all.

    Each row is printed as soon as it is known. Raises what is not the appliance's fault, and OptionError for parts
    that no board can have.
    """
    asked = tuple(hardware)
    for parts in asked:
        with_hardware(lab.boards, (parts,))
    rows: list[Row] = []
    # What is wrong with the image or the boards is said before the table begins.
    of_run = lab.boards
    lab.journal.say(HEAD)
    for one in of_run:
        own: Row | None = None
        for board in _each(one, asked or NAMES, lab.settings):
            if isinstance(board, Row):
                row = board
            elif own is not None and _is_the_same(one, board):
                row = replace(own, board=board.name, asked=False, why="the board's own")
            else:
                row = _played(lab, board, asked=bool(asked) or board is one)
            own = own or row
            rows.append(row)
            lab.journal.say(row.line)
    return rows


def _each(one: Board, hardware: tuple[str, ...], settings: Settings) -> Iterator[Board | Row]:
    """The board itself, then with each of these parts; a row where it cannot have them."""
    yield one
    for parts in hardware if not one.fixed else ():
        try:
            board = boards.with_parts(one, parts)
            must_not_differ(board, settings)
            yield board
        except OptionError as error:
            yield Row(f"{one.name}:{parts}", asked=False, why=error.what, refused=True)


def _is_the_same(one: Board, board: Board) -> bool:
    """Whether the parts are those that the board has anyway."""
    return all(part.is_on(one) for part in parts_of(board))


def _played(lab: Lab, board: Board, *, asked: bool) -> Row:
    """What became of one boot, or why there was none."""
    wanted = Wanted(board, f"hardware-{board.name}", running=False, cold=True)
    if reason := lab.skip_reason(wanted):
        return Row(board.name, asked=asked, why=reason, refused=True)
    try:
        return _booted(lab, wanted, asked=asked)
    except OptionError as error:
        return Row(board.name, asked=asked, why=error.what, refused=True)


def _booted(lab: Lab, wanted: Wanted, *, asked: bool) -> Row:
    """What became of it, once it was switched on."""
    with lab.appliance(wanted) as appliance:
        row = Row(wanted.board.name, asked=asked, lacks=lacking(wanted.board, appliance.image))
        began = time.monotonic()
        try:
            appliance.power_on()
            appliance.wait_until_ready()
            took = round(time.monotonic() - began, 1)
            row = replace(row, boots=True, network=True if appliance.can("http") else None, seconds=took)
            if WATCHDOG in appliance.board.has:
                row = replace(row, feeds=_feeds(appliance))
        except ApplianceFault as error:
            row = replace(row, why=error.what)
            if row.boots is None:
                runs = any(Phase.INIT in boot.at for boot in appliance.console.boots)
                boots = runs if appliance.can("console") else None
                unasked = boots is False or not appliance.can("http")
                row = replace(row, boots=boots, network=None if unasked else False)
    return row


def _feeds(appliance: Appliance) -> bool | None:
    """Whether gokrazy feeds the watchdog, for longer than that waits; None where its console is not heard."""
    if not appliance.can("console"):
        return None
    waits = watchdog_seconds(appliance.console.lines())
    if waits is None:
        return False
    bite = appliance.power.machine.wait_event(lambda event: event.name == "WATCHDOG", waits + LATE)
    appliance.check()
    return bite is None

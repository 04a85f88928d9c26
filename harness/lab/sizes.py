"""How small and how fast an image is on a board: measured by starting it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.appliance.wanted import Wanted
from harness.boards import Board
from harness.console.phases import Phase
from harness.errors import ApplianceFault
from harness.image.model import Image
from harness.image.room import room_of
from harness.lab.lab import Lab
from harness.package_data import images_folder

FEWEST, MOST = 3, 9
"""Pairs of starts: so many before anything is said, and so many at most."""
STEP, LEAST, LARGEST = 8, 48, 512
"""MiB of memory: how exactly the least is looked for, and between which bounds."""


@dataclass(frozen=True)
class Size:
    """One image on one board; None where that does not apply or is not known."""

    image: str
    board: str
    init: float | None = None
    """Seconds from power-on to init's first word."""
    dhcp: float | None = None
    """Seconds to the web interface listening on the address that came by DHCP."""
    http: float | None = None
    """Seconds to its first answer."""
    memory: float | None = None
    """MiB in use at rest."""
    least: int | None = None
    """MiB of the smallest machine on which it boots and serves."""
    root: float = 0.0
    bootfs: float = 0.0
    """MiB."""
    why: str = ""
    """Why there are no figures, "" where there are."""

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return asdict(self)


def measure(lab: Lab, board: Board, *, least: bool) -> Size:
    """Start the image under test cold, and look at it; ``least`` also looks for the smallest machine."""
    wanted = Wanted(board, f"measure-{board.name}", cold=True)
    image = lab.images.image(board, wanted.family)
    room = room_of(image)
    row = Size(image.hostname, board.name, root=room.root, bootfs=room.boot)
    if reason := lab.skip_reason(wanted):
        return replace(row, why=reason)
    try:
        with lab.appliance(wanted) as appliance:
            start = appliance.cold_start
            at = start.boot.at if start is not None and start.boot is not None else {}
            row = replace(
                row,
                init=at.get(Phase.BUILD),
                dhcp=at.get(Phase.HTTP),
                http=start.ready if start is not None and appliance.can("http") else None,
                memory=appliance.memory_at_rest() if appliance.can("http") else None,
            )
    except ApplianceFault as error:
        return replace(row, why=error.what)
    return replace(row, least=least_memory(lab, board)) if least and not board.fixed else row


def least_memory(lab: Lab, board: Board) -> int | None:
    """MiB of the smallest machine on which the image boots and serves; None where a large one is too small."""
    low, high = LEAST // STEP - 1, LARGEST // STEP
    if not _serves(lab, board, high * STEP):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _serves(lab, board, middle * STEP):
            high = middle
        else:
            low = middle
    return high * STEP


def _serves(lab: Lab, board: Board, memory: int) -> bool:
    settings = replace(lab.settings, memory=memory)
    lab.journal.say(f"{board.name}: with {memory} MiB")
    with Lab(settings, say=lambda _line: None) as one:
        try:
            with one.appliance(Wanted(board, f"least-{board.name}-{memory}", cold=True)) as appliance:
                if appliance.can("http"):
                    appliance.wait_until_settled()
                return True
        except ApplianceFault:
            return False


@dataclass(frozen=True)
class Slower:
    """How long one image takes to boot beside another, by pairs of starts one after the other."""

    ratios: tuple[float, ...]
    is_beyond: bool
    """Whether it is beyond its limit."""

    def __str__(self) -> str:
        each = ", ".join(f"{one:.2f}" for one in self.ratios)
        return f"{statistics.median(self.ratios):.2f} times as long ({each})"


def own_image(lab: Lab, board: Board) -> Image:
    """The project's own image for a board, which others are compared with."""
    return lab.images.build(str(images_folder() / f"hello-{board.family}"))


def slower(lab: Lab, board: Board, images: tuple[Image, Image], limit: float) -> Slower:
    """Start both images by turns until it is clear whether the first takes longer than ``limit`` times the second.

    What disturbs this host for longer than a pair disturbs both. Raises what keeps one from starting.
    """
    return compared(lambda number: _pair(lab, board, images, number), limit)


def compared(pair: Callable[[int], float], limit: float) -> Slower:
    """Ask for ratios until it is clear on which side of the limit they lie.

    Three in four within the limit, or four in five beyond it, are clear enough; where they disagree to the end,
    the median decides. Of equal images one pair in ten may go beyond a limit of 1.1 on a busy host: four in five
    do so in one of some thousand runs.
    """
    ratios: list[float] = []
    while len(ratios) < MOST:
        ratios.append(pair(len(ratios)))
        beyond = sum(one > limit for one in ratios)
        within = len(ratios) - beyond
        if within >= FEWEST and within >= 3 * beyond:
            return Slower(tuple(ratios), False)
        if beyond > FEWEST and beyond >= 4 * within:
            return Slower(tuple(ratios), True)
    return Slower(tuple(ratios), statistics.median(ratios) > limit)


def _pair(lab: Lab, board: Board, images: tuple[Image, Image], number: int) -> float:
    """The ratio of one pair; who begins changes from one to the next."""
    places = (0, 1) if number % 2 == 0 else (1, 0)
    took = {place: _seconds(lab, board, images[place], f"pair-{number}-{place}") for place in places}
    return took[0] / took[1]


def _seconds(lab: Lab, board: Board, image: Image, name: str) -> float:
    with lab.appliance(Wanted(board, f"{name}-{board.name}", cold=True, image=image)) as appliance:
        start = appliance.cold_start
        assert start is not None
        return start.ready

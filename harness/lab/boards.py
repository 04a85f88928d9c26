"""The boards of a run and their parts: those that were asked for, else the default ones that fit its subject."""

from __future__ import annotations

from collections.abc import Callable

from harness import boards
from harness.boards import Board
from harness.boards.variants import parts_of
from harness.errors import BoardMismatch, OptionError
from harness.lab.images import Images
from harness.lab.recordable import recordable
from harness.options import Settings


def boards_of_run(
    settings: Settings, images: Images, note: Callable[[str], None] = lambda _: None
) -> tuple[Board, ...]:
    """The boards on which the tests run; ``note`` gets a line for each that cannot have the parts of this run.

    Raises BoardMismatch for a board that was asked for and does not fit, OptionError where none can have what the
    machines of this run are to have.
    """
    return equipped(with_hardware(_fitting(settings, images), settings.hardware, note), settings)


def _fitting(settings: Settings, images: Images) -> tuple[Board, ...]:
    reasons = {board.name: images.misfit(board) for board in boards.boards()}
    if settings.boards is None:
        pi = boards.names(boards.Default.RASPBERRY)
        of_a_pi = not settings.is_own and not all(reasons[name] for name in pi)
        names = pi if of_a_pi else boards.names(boards.Default.ALWAYS)
        return boards.boards(tuple(name for name in names if not reasons[name]))
    asked = tuple(dict.fromkeys(boards.boards(settings.boards)))
    wrong = [f"{one.name}: {reason}" for one in asked if (reason := images.misfit(one))]
    if wrong:
        raise BoardMismatch(
            f"what is to be tested cannot run on {'; '.join(wrong)}",
            hint=f"boards that can: {', '.join(name for name in reasons if not reasons[name]) or 'none'}",
        )
    return asked


def with_hardware(
    found: tuple[Board, ...], hardware: tuple[str, ...], note: Callable[[str], None] = lambda _: None
) -> tuple[Board, ...]:
    """Each board with each of these parts; raises OptionError where none can have any.

    A board that cannot have them is left out, and ``note`` gets its reason.
    """
    if not hardware or not found:
        return found
    made: dict[str, Board] = {}
    refused: list[OptionError] = []
    for parts in hardware:
        for one in found:
            try:
                board = boards.with_parts(one, parts)
            except OptionError as why:
                refused.append(why)
            else:
                made[board.name] = board
    if not made:
        raise refused[0]
    for error in refused:
        note(f"left out: {error.where}: {error.what}")
    return tuple(made.values())


def equipped(found: tuple[Board, ...], settings: Settings) -> tuple[Board, ...]:
    """The boards, unless none of them takes what its machines are to have; raises OptionError.

    Where some take it, the others keep what they have: the report says so of each. Those that cannot be recorded
    are left out where that is wanted.
    """
    found = recordable(found, settings)
    if settings.changes_machines and found:
        for board in found:
            must_not_differ(board, settings)
        refused = {board.name: settings.equipment.refused_by(board) for board in found}
        if all(refused.values()):
            first = found[0]
            raise OptionError(
                f"{first.name} cannot have {', '.join(refused[first.name])}: it has {first.fixed}",
                where=", ".join(refused),
                hint="leave out --gk-memory, --gk-cpus and --gk-disk, or name a board that can: raspi-virt",
            )
    return found


def must_not_differ(board: Board, settings: Settings) -> None:
    """Raise OptionError where a part says how much memory or how many processors it has, and an option another."""
    for part in parts_of(board):
        for flag, asked, has in (
            ("--gk-memory", settings.memory, part.memory),
            ("--gk-cpus", settings.cpus, part.cpus),
        ):
            if has and asked not in (0, has):
                raise OptionError(
                    f"{board.name} has {part.title}, and {flag} says {asked}", hint="leave out one of them"
                )

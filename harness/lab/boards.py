"""The boards of a run: those that were asked for, else the default ones that fit what is tested."""

from __future__ import annotations

from harness import boards
from harness.boards import Board
from harness.errors import BoardMismatch, OptionError
from harness.lab.images import Images
from harness.options import Settings


def boards_of_run(settings: Settings, images: Images) -> tuple[Board, ...]:
    """The boards on which the tests run.

    Raises BoardMismatch for a board that was asked for and does not fit, OptionError where none can have what the
    machines of this run are to have.
    """
    reasons = {board.name: images.misfit(board) for board in boards.boards()}
    if settings.boards is None:
        pi = boards.names(boards.Default.RASPBERRY)
        of_a_pi = not settings.is_own and not all(reasons[name] for name in pi)
        names = pi if of_a_pi else boards.names(boards.Default.ALWAYS)
        return equipped(boards.boards(tuple(name for name in names if not reasons[name])), settings)
    wrong = [f"{name}: {reasons[name]}" for name in settings.boards if reasons[name]]
    if wrong:
        raise BoardMismatch(
            f"what is to be tested cannot run on {'; '.join(wrong)}",
            hint=f"boards that can: {', '.join(name for name in reasons if not reasons[name]) or 'none'}",
        )
    return equipped(boards.boards(settings.boards), settings)


def equipped(found: tuple[Board, ...], settings: Settings) -> tuple[Board, ...]:
    """The boards, unless none of them takes what its machines are to have; raises OptionError.

    Where some take it, the others keep what they have: the report says so of each.
    """
    if settings.changes_machines and found:
        refused = {board.name: settings.equipment.refused_by(board) for board in found}
        if all(refused.values()):
            first = found[0]
            raise OptionError(
                f"{first.name} cannot have {', '.join(refused[first.name])}: it has {first.fixed}",
                where=", ".join(refused),
                hint="leave out --gk-memory, --gk-cpus and --gk-disk, or name a board that can: raspi-virt",
            )
    return found

"""What of a run cannot be recorded, and why: said before anything is built or started."""

from __future__ import annotations

from collections.abc import Iterator

from harness import boards
from harness.boards import Board
from harness.errors import OptionError
from harness.options import Settings

FLAG = "--gk-record"


def must_be_recordable(settings: Settings) -> None:
    """Raise OptionError where the options ask to record what QEMU cannot record."""
    if settings.record:
        for wish, reason in _against(settings):
            raise OptionError(f"{FLAG} does not go with {wish}: {reason}", hint=f"leave out {FLAG} or {wish}")
        if settings.image is not None and not settings.bundle_disk:
            raise OptionError(
                f"{FLAG} keeps nothing of a finished image: what is recorded may have secrets of its owner",
                where=str(settings.image),
                hint="add --gk-bundle-disk, and look at who gets the bundle",
            )
        recordable(boards.boards(settings.boards or ()), settings)


def recordable(found: tuple[Board, ...], settings: Settings) -> tuple[Board, ...]:
    """Those of the boards that this run can use; raises OptionError where one was asked for that it cannot.

    That is every board, unless the run records.
    """
    if not settings.record:
        return found
    can = tuple(board for board in found if not board.unrecorded)
    first = next((board for board in found if board.unrecorded), None)
    if first is not None and (settings.boards is not None or not can):
        others = ", ".join(board.name for board in boards.boards() if not board.unrecorded)
        raise OptionError(
            f"{FLAG}: {first.name} cannot be recorded: {first.unrecorded}", hint=f"boards that can: {others}"
        )
    return can


def _against(settings: Settings) -> Iterator[tuple[str, str]]:
    """The options that do not go with it, each with the reason."""
    if settings.accel == "kvm":
        yield "--gk-accel kvm", "QEMU counts the instructions that it records, and KVM counts none"
    if settings.cpus > 1:
        yield "--gk-cpus", "QEMU records one processor"
    if settings.warm == "persist":
        yield "--gk-warm persist", "a recording begins at power-on, never from a snapshot"
    if settings.disk:
        yield "--gk-disk", "a further disk is not in the bundle, and a replay needs it as it was"
    if settings.qemu_arg:
        yield "--gk-qemu-arg", "nobody knows whether QEMU records what that adds"
    if settings.bundle == "off":
        yield "--gk-bundle off", "what is recorded is kept in bundles"

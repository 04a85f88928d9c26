"""What a run does before its first test: it finds QEMU, makes every image, and reports both."""

from __future__ import annotations

from collections.abc import Mapping

from harness import boards
from harness.appliance.abilities import SOCKET_ONLY
from harness.appliance.start_watch import why_no_address
from harness.boards.variants import lacking
from harness.errors import OptionError
from harness.image.model import PERM_TITLES
from harness.lab.images import FROM
from harness.lab.starts import Starts
from harness.lab.targets import Target
from harness.lab.trial import try_arguments
from harness.options import OWN_ARGUMENTS

Needed = Mapping[tuple[str, str], bool]
"""Board and family of each image that the tests need -> whether there are tests that update it."""


def prepare(starts: Starts, needed: Needed) -> None:
    """Find QEMU and make every image that the tests will need; report what was made.

    A board for which this host's QEMU is too old is passed over: its tests are skipped.
    """
    for (name, family), updates in needed.items():
        board = boards.board(name)
        if not starts.qemus.fits(board):
            continue
        starts.check_parts(board)
        if starts.images.unavailable(board, family):
            continue
        target = starts.targets.of(board, starts.images.image(board, family))
        image = target.image
        if family == "hello":
            paths = [service.path for service in image.services]
            starts.settings.expected.check(paths, where=f"{image.hostname} ({image.path})")
        title = f"image {family}" if starts.settings.is_own else "image"
        starts.journal.image(title, image)
        _check(starts, target, family)
        own = target.key.own
        if own is not None and not own.problem:
            starts.journal.note_once(
                f"{image.hostname}: breakglass is entered with {own.path}, which is only read"
            )
        _report_board(starts, board)
        _report_silence(starts, target)
        if lacks := lacking(board, image):
            starts.journal.note_once(f"{image.hostname} on {board.name}: {lacks}")
        if updates:
            following = starts.images.next_image(board, family)
            if following is not image:
                starts.journal.image(f"next {title}", following)


def _check(starts: Starts, target: Target, family: str) -> None:
    """Raise OptionError where the options ask for what cannot be done with this image."""
    image = target.image
    if starts.settings.clock == "now" and not target.board.knows_time and image.perm != "ext4":
        raise OptionError(
            f"--gk-clock now puts the time into /perm, which is {PERM_TITLES[image.perm]} in the image",
            where=str(image.path),
            hint="--gk-perm ext4 formats it on each test's disk",
        )
    if family != FROM:
        starts.keys.check_given(image)


def _report_board(starts: Starts, board: boards.Board) -> None:
    """Report what plays the board; the user's own arguments for QEMU are tried out."""
    qemu, accelerator = starts.qemus.of(board), starts.accelerators.of(board)
    line = f"{board.title}; QEMU {qemu.version}, {accelerator.name} ({accelerator.reason})"
    if told := starts.settings.equipment.summary_on(board):
        line += f"; {told}"
    if starts.settings.qemu_arg:
        starts.journal.fact("WARNING", OWN_ARGUMENTS)
        try_arguments(starts, board)
    if (cold := board.workarounds.no_snapshots) is not None:
        line += f"; {cold.note}"
    starts.journal.board(board.name, line)


def _report_silence(starts: Starts, target: Target) -> None:
    """Report before the first start what cannot be heard or asked, and why nobody may reach the appliance."""
    image, voice = target.image, target.voice
    subject = f"{image.hostname} on {target.board.name}"
    if voice.why:
        starts.journal.note_once(f"{subject} is tested without its console: {voice.why}")
    elif not voice.kernel:
        starts.journal.note_once(f"{subject}: its kernel is told to be quiet, so the console begins with init")
    if not image.serves_tcp:
        starts.journal.note_once(f"{subject} is tested without its web interface: {SOCKET_ONLY}")
    if not image.starts_dhcp:
        starts.journal.note_once(f"{subject} may get no address: {why_no_address(image)}")

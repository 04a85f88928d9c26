"""Target: an image on a board, and all that is known of the two before anything starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.appliance.abilities import missing
from harness.boards import Board
from harness.firmware.voice import Voice, voice_of
from harness.image.model import Image
from harness.lab.equipment import equipment
from harness.lab.ssh_keys import KeyChoice, SshKeys
from harness.machine.equipment import Equipment
from harness.options import Settings


@dataclass(frozen=True)
class Target:
    """What is started: made once for a board and an image, and handed down whole."""

    board: Board
    """As it is for this image."""
    image: Image
    equipment: Equipment
    """What its machines are beyond the board, with the network of the run."""
    voice: Voice
    """Who is heard on its serial port."""
    key: KeyChoice
    """How its breakglass is entered."""

    def missing(self, needs: Iterable[str]) -> str:
        """Return the first of these needs that it lacks, and why, "" when it has all."""

        def lack(need: str) -> str:
            return missing(self.image, need, voice=self.voice, no_key=self.key.refusal, board=self.board)

        return next(filter(None, map(lack, needs)), "")


class Targets:
    """The targets of a run, each looked into once."""

    def __init__(self, settings: Settings, keys: SshKeys) -> None:
        self._settings = settings
        self._keys = keys
        self._known: dict[tuple[str, str], Target] = {}
        self._voices: dict[tuple[str, str], Voice] = {}

    def of(self, board: Board, image: Image) -> Target:
        """This image on this board."""
        key = board.name, image.digest
        known = self._known.get(key)
        if known is None or known.image != image:
            # The same bytes may be known better: an instance says its password, a file does not.
            self._known[key] = Target(
                board=board.fitted(image),
                image=image,
                equipment=equipment(self._settings, image).on(board),
                voice=self.voice(board, image),
                key=self._keys.choice(image),
            )
        return self._known[key]

    def voice(self, board: Board, image: Image) -> Voice:
        """Who is heard on this board's serial port with this image."""
        key = board.name, image.digest
        if key not in self._voices:
            self._voices[key] = voice_of(image, board, quirks=not self._settings.no_quirks)
        return self._voices[key]

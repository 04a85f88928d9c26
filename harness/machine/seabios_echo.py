"""SeaBIOS resets a machine once more after each reset: which of them somebody wanted."""

from __future__ import annotations

from harness.machine.qmp import Event


class SeaBiosEcho:
    """Distinguishes SeaBIOS's own reset from a reset that somebody wanted.

    When SeaBIOS finds at the reset vector that it ran before, it resets the machine once more to start from a
    clean state: each RESET on a BIOS board is followed by a second one, a fifth of a second later on a busy host.
    """

    WINDOW = 5.0
    """Seconds; a kernel that crashes sooner still resets in such pairs, so its resets are counted right."""

    def __init__(self) -> None:
        self._expected_until = 0.0

    def is_echo(self, event: Event) -> bool:
        """Whether this RESET only repeats the one before."""
        if event.data.get("reason") == "guest-reset" and event.at < self._expected_until:
            self._expected_until = 0.0
            return True
        self._expected_until = event.at + self.WINDOW
        return False

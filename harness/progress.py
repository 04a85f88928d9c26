"""Watches a start by its phases on the console, so that a stuck one is red soon and says where it is stuck."""

from __future__ import annotations

from harness.boards import Budget
from harness.console.console import Console
from harness.console.phases import Phase
from harness.errors import BootFailure, DeviceUnreachable
from harness.image.model import Image


class StartWatch:
    """The limits between the phases of one start, made before power-on; ``check`` raises when one is passed.

    A wait for the web interface alone would know nothing but that nobody answered, and that only at its very end.
    """

    def __init__(self, console: Console, image: Image, budget: Budget) -> None:
        self._console = console
        self._image = image
        self._budget = budget
        self._boots = len(console.boots)

    def check(self) -> None:
        """Raise BootFailure or DeviceUnreachable when the start has been stuck for longer than its budget."""
        now = self._console.recording.seconds()
        boots = self._console.boots
        if len(boots) <= self._boots:
            if now > self._budget.kernel:
                raise self._stuck(f"no kernel has started within {self._budget.kernel:.0f} s of power-on")
            return
        at = boots[-1].at
        if Phase.HTTP in at:
            if now - at[Phase.HTTP] > self._budget.answer:
                raise DeviceUnreachable(
                    f"the web interface listens on {', '.join(boots[-1].http)}, "
                    f"but nothing answered at port {self._image.http_port} for {self._budget.answer:.0f} s",
                    where=self._console.name,
                    hint="is the port in the image the one that is expected?",
                    evidence=self._console.excerpt(10),
                )
        elif Phase.UPDATER in at and now - at[Phase.UPDATER] > self._budget.network:
            raise self._stuck(
                f"init runs its services, but after {self._budget.network:.0f} s the web interface still listens "
                "on no address that others reach: no address came by DHCP"
            )

    def _stuck(self, what: str) -> BootFailure:
        said = self._console.excerpt(25) or "(the console said nothing)"
        return BootFailure(what, where=self._console.name, evidence=said)

"""StartWatch: follows a start by its phases on the console, so that a stuck start fails soon and says where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile

from harness.boards import Budget
from harness.console.console import Console
from harness.console.loops import LoopRule
from harness.console.phases import Boot, Phase
from harness.errors import BootFailure, DeviceUnreachable, RebootLoop
from harness.firmware.voice import Voice
from harness.image.model import Image

_LONGEST = 120
"""Characters of the console's last line in an error."""
GUEST_NETWORK = "10.0.2."
"""The beginning of the addresses that QEMU's network gives out, and forwards to."""


class StartWatch:
    """The limits between the phases of one start. It is made as that begins; ``check`` raises past a limit.

    A wait for the web interface alone knows only that nobody answered, and that only at its end. Only a phase that
    ``voice`` says is heard can be missed.
    """

    def __init__(
        self,
        console: Console,
        image: Image,
        voice: Voice,
        budget: Budget,
        *,
        dhcp_runs: Callable[[], bool | None] = lambda: None,
        no_card: str = "",
    ) -> None:
        """``dhcp_runs`` asks the device itself whether its DHCP client runs, None where it cannot be asked.

        ``no_card`` is why its kernel does not see the network card, where that is known.
        """
        self._no_card = no_card
        self._dhcp_runs = dhcp_runs
        self._console = console
        self._image = image
        self._voice = voice
        self._budget = budget
        self._boots = len(console.boots)
        self._powered = True
        self._answered = False

    def of_reboot(self, after: int) -> StartWatch:
        """Follow a reboot of a device that had booted so often; how long that takes to go is not limited here."""
        self._boots, self._powered = after, False
        return self

    @property
    def watches_network(self) -> bool:
        """Whether it says what is wrong with a device whose init runs its services, and that nobody can reach."""
        return self._voice.init and self._image.serves_tcp

    def has_answered(self) -> None:
        """The web interface has answered, though the start is not over: whether it answers is settled."""
        self._answered = True

    def check(self) -> None:
        """Raise BootFailure, DeviceUnreachable or RebootLoop when the start is stuck longer than its budget."""
        now = self._console.recording.seconds()
        boots = self._console.boots
        # The first is the start itself, or the reboot that is awaited.
        self._look_for_reboots(boots[self._boots + 1 :])
        if len(boots) > self._boots:
            if not self._answered and self.watches_network:
                self._check_network(boots[-1], now)
        elif not self._powered:
            return
        elif self._voice.kernel:
            if now > self._budget.kernel:
                raise self._stuck(
                    f"no kernel has started within {self._budget.kernel:.0f} s of power-on{self._last_words()}",
                    "compare vmlinuz and cmdline.txt in the boot partition with a fresh build; "
                    "is there memory enough (--gk-memory)?",
                )
        elif self._voice.init and now > self._budget.init:
            raise self._stuck(
                f"init has not said a word within {self._budget.init:.0f} s of power-on "
                "(the kernel is not heard: its command line makes it quiet)",
                "take 'quiet' and loglevel= out of KernelExtraArgs to see how far it comes",
            )

    def _look_for_reboots(self, boots: Sequence[Boot]) -> None:
        """Raise RebootLoop for a program that asks again and again: to the console that is no loop."""
        asked = sum(boot.asked for boot in boots)
        if asked > (1 if self._image.formats_perm else LoopRule().starts):
            takes = " (formatting /perm takes one)" if self._image.formats_perm else ""
            raise RebootLoop(
                f"a program on it asked for a reboot {asked} times before it was ready{takes}",
                where=self._console.name,
                hint="leave programs out of the instance, one after the other, until it stays up",
                evidence="\n".join(map(str, boots)),
            )

    def _check_network(self, boot: Boot, now: float) -> None:
        at = boot.at
        if Phase.HTTP in at:
            if now - at[Phase.HTTP] > self._budget.answer:
                raise DeviceUnreachable(
                    f"the web interface listens on {', '.join(boot.http)}, "
                    f"but nothing answered at port {self._image.http_port} for {self._budget.answer:.0f} s",
                    where=self._console.name,
                    hint=_why_no_answer(boot),
                    evidence=self._console.excerpt(10),
                    overdue=True,
                )
        elif Phase.UPDATER in at and now - at[Phase.UPDATER] > self._budget.network:
            why = self._no_card or why_no_address(self._image, self._dhcp_runs)
            has_card = "the instance's Packages, or GokrazyPackages, must have github.com/gokrazy/gokrazy/cmd/dhcp"
            raise self._stuck(
                f"init runs its services, but after {self._budget.network:.0f} s the web interface still listens "
                f"on no address that others reach: {why}",
                "give the kernel that driver, or the board another card" if self._no_card else has_card,
            )

    def _last_words(self) -> str:
        """What the console said last, to be put behind a sentence."""
        lines = takewhile(lambda line: not line.mark, reversed(self._console.lines()))
        last = next((line.text.strip() for line in lines if line.text.strip()), "")
        return f"; the console said last: {last[:_LONGEST]}" if last else "; the console said nothing"

    def _stuck(self, what: str, hint: str) -> BootFailure:
        said = self._console.excerpt(25) or "(the console said nothing)"
        return BootFailure(what, where=self._console.name, hint=hint, evidence=said, overdue=True)


def _why_no_answer(boot: Boot) -> str:
    if any(address.startswith(GUEST_NETWORK) for address in boot.http):
        return "is the port in the image the one that is expected?"
    return f"QEMU's network reaches addresses that begin with {GUEST_NETWORK} only: is this one set by hand?"


def unheard(image: Image, voice: Voice) -> str:
    """What a reader must know of a start that never answered and is not heard; "" where it is heard."""
    if not voice.why:
        return ""
    no_address = "" if image.starts_dhcp else f"; {why_no_address(image)}"
    return f"how far it came is not heard: {voice.why}{no_address}"


def why_no_address(image: Image, dhcp_runs: Callable[[], bool | None] = lambda: None) -> str:
    """Why a device that runs this image has no address: by the image where that shows it, else by the device."""
    if image.service("dhcp") is None:
        return "nothing asked for one: gokrazy's DHCP client (cmd/dhcp) is not in the image"
    if not image.starts_dhcp:
        return "nothing asked for one: the instance does not start gokrazy's DHCP client (cmd/dhcp has DontStart)"
    runs = dhcp_runs()
    if runs is False:
        return "nothing asks for one: gokrazy's DHCP client (cmd/dhcp) does not run, as the device itself says"
    if image.builder == "given" and runs is None:
        return "no address came by DHCP, or gokrazy's DHCP client is not started (a finished image does not say)"
    return "no address came by DHCP"

"""RealPower: the power of a real device, switched by a command of the user's, and the serial line to it."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from harness.appliance.console_link import ConsoleLink
from harness.boards import Board
from harness.console.phases import Boot, Cause
from harness.console.serial_line import SerialPort
from harness.errors import HarnessError, HostFault, NotOnDevice, OptionError
from harness.firmware.stage import Loaded
from harness.gokrazy.may import May
from harness.machine.ending import Rung
from harness.machine.power import Power, PowerOn
from harness.machine.processor_time import Shortage

State = Literal["on", "off"]
PLACE = "{}"
"""What stands for ``on`` or ``off`` in the command; without it the word comes last."""
LIMIT = 120.0
"""Seconds for the command: a plug in the network takes some, and one that waits for its relay takes more."""
NO_SWITCH = "nothing is known that switches a real device off and on (--gk-device-power)"


@dataclass(frozen=True)
class Switch:
    """The user's command that switches the device's power. No shell runs it."""

    command: str

    def __post_init__(self) -> None:
        if not self._words("on"):
            raise OptionError("the command is empty", hint="for example 'uhubctl -l 1-1 -a'")

    def turn(self, state: State) -> None:
        """Switch it; raises HostFault when the command does not do that."""
        program = self._words(state)[0]
        try:
            done = subprocess.run(
                self._words(state),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._failed(state, f"{program} did not end within {LIMIT:.0f} s") from None
        except OSError as error:
            raise self._failed(state, f"{program} cannot be run: {error.strerror}") from None
        if done.returncode:
            raise self._failed(state, f"{program} ended with status {done.returncode}", done.stderr[-600:])

    def _words(self, state: State) -> list[str]:
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise OptionError(f"the command cannot be read: {error}", hint="close its quotation marks") from None
        if words and not any(PLACE in word for word in words):
            words.append(PLACE)
        return [word.replace(PLACE, state) for word in words]

    def _failed(self, state: State, why: str, said: str = "") -> HostFault:
        hint = f"run the command of --gk-device-power by hand with the word {state}"
        return HostFault(f"the device was not switched {state}: {why}", hint=hint, evidence=said.strip())


@dataclass
class Wiring:
    """How a real device is wired to this host, and what may be done to it."""

    serial: SerialPort | None
    switch: Switch | None
    may: May
    is_off: bool = False
    """Whether it was switched off here and not on again, or an attempt to do so failed."""

    @property
    def no_power(self) -> str:
        """Why it cannot be switched off and on here, "" when it can."""
        return self.may.refusal("power") or ("" if self.switch is not None else NO_SWITCH)


class RealPower(Power):
    """The power of a real device. What this class does not override needs QEMU: it is refused by NotOnDevice."""

    def __init__(self, board: Board, wiring: Wiring, link: ConsoleLink, check: Callable[[], None]) -> None:
        """``check`` is for the end of a test: it raises where the device died without anybody looking."""
        self._board = board
        self._wiring = wiring
        self._link = link
        self._check = check
        self.power_ons: list[PowerOn] = []
        self.failure: HarnessError | None = None
        self.rungs: list[Rung] = []
        self.ports = {}
        self.recorder = None

    def __getattr__(self, name: str) -> Any:
        """Everything of a machine that a device has not."""
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotOnDevice(f"this needs emulation ({name.strip('_')}), and the appliance is a real device")

    @property
    def board(self) -> Board:
        """The board that stands for the device."""
        return self._board

    @property
    def accelerator(self) -> str:
        """Nothing executes code in its place."""
        return "none"

    @property
    def is_on(self) -> bool:
        """Whether it was not switched off here."""
        return not self._wiring.is_off

    @property
    def in_many_threads(self) -> bool:
        """Never: nothing is translated."""
        return False

    def check(self) -> None:
        """Nothing of its own can fail while one waits; a serial port that is lost ends each wait by itself."""

    def check_unseen(self) -> None:
        """Raise where the device died in this test, and nobody looked."""
        if self.is_on:
            self._check()

    def shortage(self) -> Shortage | None:
        """None: this host gives it nothing."""
        return None

    def listen(self, boot: Boot) -> None:
        """Take the serial line of a device that runs, in the middle of ``boot``."""
        self._link.next, self._link.boot = Cause.RESTORED, boot
        self._take_line()

    def on(self) -> None:
        """Switch it on by the user's command; raises NotOnDevice, HostFault."""
        self._turn("on")

    def off(self, *, power_off: float = 0.0) -> Rung:  # noqa: ARG002
        """Switch it off by the user's command at once, ``power_off`` or not; raises NotOnDevice, HostFault."""
        self._turn("off")
        return Rung.GONE

    def cycle(self, *, power_off: float = 0.0) -> None:  # noqa: ARG002
        """Switch it off and on."""
        self.off()
        self.on()

    def init_runs(self) -> None:
        """Its network needs no help."""

    def listens(self) -> None:
        """Its network needs no help."""

    def halted(self, wants_restart: bool) -> None:
        """A real device that halts stays halted."""

    def let_go(self) -> None:
        """Let go of the serial line; the device stays as it is."""
        self._link.let_go()

    def _turn(self, state: State) -> None:
        switch = self._wiring.switch
        if (reason := self._wiring.no_power) or switch is None:
            raise NotOnDevice(reason or NO_SWITCH)
        self._wiring.may.restarted = True
        if state == "on":
            self._take_line()
            cause = "power-cycle" if self.power_ons else "power-on"
            news = PowerOn(len(self.power_ons) + 1, cause, True, time.monotonic(), Loaded())
            self.power_ons.append(news)
            self._link.listener(news)
        # Where the command fails, nobody knows: it is switched on again before it is judged.
        self._wiring.is_off = True
        switch.turn(state)
        self._wiring.is_off = state == "off"

    def _take_line(self) -> None:
        if self._wiring.serial is None:
            return
        self._link.let_go()
        may = self._wiring.may
        self._link.on_console(
            self._wiring.serial.open(gate=lambda: may.demand("shell"), on_lost=self._link.line_lost)
        )

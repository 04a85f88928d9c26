"""Machines for these tests, from what a test says of them; and somebody who hears what becomes of them."""

from __future__ import annotations

import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

from harness.boards import Board, board
from harness.errors import HarnessError
from harness.machine.accelerator import TCG
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.launch import Launch
from harness.machine.machine import Machine
from harness.machine.power import PowerEvent, PowerOn
from harness.machine.qemu import QemuProgram, find_qemu
from harness.machine.run_dir import RunDir
from harness.machine.spec import Spec

NO_QEMU = QemuProgram(Path("/usr/bin/qemu"), "10.0", frozenset(), sandbox=True)
"""A program that nobody starts."""


def spec_of(on: Board | str, *, qemu: QemuProgram | None = None, **given: Any) -> Spec:
    """A machine of this board under TCG, with the QEMU of this host unless another one is given."""
    chosen = board(on) if isinstance(on, str) else on
    return Spec(**{"board": chosen, "qemu": qemu or find_qemu(chosen), "accelerator": TCG, **given})


def machine_of(on: Board | str, overlay: DiskOverlay, run_dir: RunDir, **given: Any) -> Machine:
    """A machine of this board; ``given`` are fields of its Spec and of its Launch, and what it takes itself."""
    spec, launch = part(given, Spec), part(given, Launch)
    rest = {name: value for name, value in given.items() if name not in {*spec, *launch}}
    return Machine(spec_of(on, **spec), overlay, run_dir, Launch(**launch), **rest)


def part(given: dict[str, Any], record: type) -> dict[str, Any]:
    """Those of the values that are fields of this record."""
    names = {field.name for field in fields(record)}
    return {name: value for name, value in given.items() if name in names}


class Heard:
    """Listens to a Power, for a test that waits for what becomes of it."""

    def __init__(self) -> None:
        self.power_ons: list[PowerOn] = []
        self.failures: list[HarnessError] = []
        self._news = threading.Condition()

    def __call__(self, news: PowerEvent) -> None:
        """Something happened to the machine."""
        with self._news:
            if isinstance(news, PowerOn):
                self.power_ons.append(news)
            elif isinstance(news, HarnessError):
                self.failures.append(news)
            self._news.notify_all()

    def power_on(self, number: int, timeout: float) -> PowerOn | None:
        """Wait for the power-on of this number; None when it did not come within ``timeout`` seconds."""
        with self._news:
            self._news.wait_for(lambda: len(self.power_ons) >= number, timeout)
            return self.power_ons[number - 1] if len(self.power_ons) >= number else None

    def failure(self, timeout: float) -> HarnessError | None:
        """Wait for what kept the machine from running; None when nothing did within ``timeout`` seconds."""
        with self._news:
            self._news.wait_for(lambda: self.failures, timeout)
            return self.failures[0] if self.failures else None

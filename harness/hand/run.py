"""What ``gokharness run`` does: a program built here runs on a machine at once, and its log is shown."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from harness.appliance.abilities import NOT
from harness.boards import Board
from harness.build.instance import load_instance
from harness.build.one_program import must_be_known
from harness.errors import OptionError, ServiceMissing
from harness.hand.boot import Asked, booted
from harness.hand.ctl import Desk
from harness.hand.hand import Hand, Words
from harness.lab.lab import Lab

FOR_SCRIPTS = "gokrazy: changed it? gokharness ctl --name"
FOREVER = 1e9
"""Seconds: until somebody leaves."""
OLD = 1.0
"""Seconds for what the log holds of the program before."""


@dataclass(frozen=True)
class Program:
    """What is to run: a package, with more flags than its service has."""

    package: str
    flags: Sequence[str] = ()
    seconds: float = FOREVER
    """For how long its log is shown."""


def run_program(lab: Lab, board: Board, asked: Asked, program: Program, words: Words = str) -> None:
    """Boot a machine, run the program in place of its service, and show its log.

    Raises what the program does not compile of, and what the machine died of.
    """
    say = lab.journal.say
    must_be_known(load_instance(asked.source), program.package)
    with booted(lab, board, asked) as (appliance, name):
        if reason := appliance.missing("http"):
            raise OptionError(reason.removeprefix(NOT), where=appliance.image.hostname)
        appliance.wait_until_ready()
        hand = Hand(lab, appliance, name=name, quit=appliance.cut_power, words=words)
        made = hand.build(program.package)
        with Desk(hand, lab.folders.run_dir.path, title=f"{appliance.image.hostname} on {board.name}"):
            for way in hand.where().splitlines():
                say(f"gokrazy: {way}")
            before = _seen(hand, made.service)
            service = appliance.run_instead(made.service, made.program, *program.flags)
            say(f"gokrazy: {made.program.name} runs in place of {service.path}, until the next boot")
            say(f"{FOR_SCRIPTS} {name} run {program.package}")
            with appliance.log_stream(service.path) as log:
                # The device begins with the last lines that it has: those of the program before are known.
                fresh = [line for line in log.collect(quiet=OLD, limit=10 * OLD) if line.text not in before]
                for line in itertools.chain(fresh, log.follow(program.seconds)):
                    print(line.text, flush=True)


def _seen(hand: Hand, service: str) -> set[str]:
    try:
        return {line.text for line in hand.appliance.device.recent_log(service)}
    except ServiceMissing:
        return set()

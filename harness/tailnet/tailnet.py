"""Tailnet: the process that is control server, relay and second node, and what a test asks of it."""

from __future__ import annotations

import json
import os
import platform
import selectors
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from harness.appliance.appliance import Appliance
from harness.build.go import GoToolchain
from harness.errors import ApplianceFault, HostFault, InternalError, WaitTimeout
from harness.gokrazy.client import Device
from harness.image.arch import of_machine
from harness.lifetime.leash import leashed
from harness.machine.equipment import Door

PROGRAM = Path(__file__).parent / "program"
CONTROL = "10.0.2.100:9911"
"""The control server, as the guest reaches it: the harness's own address within QEMU's user network."""
RELAY = "10.0.2.100:3443"
LOGIN_SERVER = f"http://{CONTROL}"
OWN = "harness"
"""The name of the node that is the harness's own."""
START_LIMIT = 90.0
"""Seconds for control server, relay and own node to be up: hosts can be very busy."""
ANSWER_LIMIT = 15.0
"""Seconds beyond an order's own limit."""


@dataclass(frozen=True)
class TailnetNode:
    """A node, as the control server knows it."""

    name: str
    id: str
    key: str
    """Its public node key: the same as long as it keeps its state."""
    address: str


def build(folder: Path) -> Path:
    """Build the program; raises ModuleUnavailable, ToolMissing, BuildFailed."""
    program = folder / "tailnet"
    machine = platform.machine()
    GoToolchain.find(arch=of_machine(machine) or machine, build_env={}).build_in_place(PROGRAM, ".", program)
    return program


class Tailnet:
    """A tailnet that ends with its ``with`` block; the guest reaches it by its ``doors`` and nothing else.

    ``folder`` takes what the own node keeps, ``log`` what all of it says. With ``auth_key``, a node joins with
    this key only; a node that has joined shows its own key from then on.
    """

    def __init__(self, program: Path, *, folder: Path, log: Path, auth_key: str = "") -> None:
        self._log = log
        self._read = bytearray()
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                leashed([str(program), "serve"]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)},
            )
        try:
            # By its input: a command line is for everybody on this host to read.
            self._send({"auth_key": auth_key, "base": LOGIN_SERVER, "relay": RELAY})
            answer = self._answer(START_LIMIT)
        except BaseException:
            self.close()
            raise
        forward = (str(program), "forward")
        self.doors = (
            Door(CONTROL, (*forward, f"127.0.0.1:{answer['control']}")),
            Door(RELAY, (*forward, f"127.0.0.1:{answer['relay']}")),
        )
        self.proxy = f"http://127.0.0.1:{answer['proxy']}"
        """A proxy for HTTP: who asks it reaches each node by its name, such as http://go/, and nobody else."""

    # -- what a test asks

    def nodes(self) -> dict[str, TailnetNode]:
        """All nodes that have joined, by name, the harness's own among them."""
        found = [TailnetNode(**one) for one in self._ask("nodes").get("nodes", [])]
        return {node.name: node for node in found}

    def wait_for(self, name: str, limit: float) -> TailnetNode:
        """Wait until a node of this name has joined, ``limit`` seconds at most; raises WaitTimeout."""
        self._ask("wait", limit, name=name)
        return self.nodes()[name]

    def ping(self, name: str, limit: float) -> float:
        """Ping a node from the harness's own until its kernel answers: seconds of that ping; raises WaitTimeout.

        The first one is often lost, while the two nodes get to know each other.
        """
        return float(self._ask("ping", limit, name=name).get("seconds", 0.0))

    def port(self, name: str, port: int) -> int:
        """A port of 127.0.0.1 that leads through the tailnet to this port of a node."""
        return int(self._ask("forward", name=name, port=port)["port"])

    def device(self, appliance: Appliance, name: str, *, password: str | None = None) -> Device:
        """The web interface of an appliance as the second node sees it, with its own password or this one."""
        image = appliance.running
        return Device(
            f"http://127.0.0.1:{self.port(name, image.http_port)}",
            password=image.password if password is None else password,
            check=appliance.check,
            patience=appliance.budget.answer,
        )

    def require_key(self, key: str) -> None:
        """Let nobody join or come back from now on but with this key; with "", everybody."""
        self._ask("require", key=key)

    # -- the process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and with it the tailnet."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(ANSWER_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, do: str, limit: float = ANSWER_LIMIT, **order: Any) -> dict[str, Any]:
        self._send({"do": do, "limit": limit, **order})
        answer = self._answer(limit + ANSWER_LIMIT)
        if error := answer.get("error"):
            kind = WaitTimeout if do in ("wait", "ping") else ApplianceFault
            raise kind(
                f"tailnet: {error}, after {limit:.0f} s" if kind is WaitTimeout else f"tailnet: {error}",
                hint="the log of the service tailscale on the appliance says how far it came",
                evidence=f"nodes: {', '.join(sorted(self.nodes())) or 'none'}",
            )
        return answer

    def _send(self, order: dict[str, Any]) -> None:
        if self._process.stdin is None:
            raise InternalError("the tailnet was ended")
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._ended() from error

    def _answer(self, limit: float) -> dict[str, Any]:
        """The next line that the process answers."""
        if self._process.stdout is None:
            raise InternalError("the tailnet was ended")
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if not ready.select(limit):
                    raise HostFault(
                        f"the tailnet of this host gave no answer within {limit:.0f} s", where=str(self._log)
                    )
                read = os.read(self._process.stdout.fileno(), 1 << 16)
                if not read:
                    raise self._ended()
                self._read += read
        line, _, rest = bytes(self._read).partition(b"\n")
        self._read = bytearray(rest)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ended(self) -> HostFault:
        last = self._log.read_text("utf-8", "replace").splitlines()[-10:]
        return HostFault("the tailnet of this host has ended", where=str(self._log), evidence="\n".join(last))

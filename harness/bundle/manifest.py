"""The manifest of a bundle: all that is known of a failed test and its appliance, as ``bundle.json`` has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from harness import __version__
from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.bundle.archive import FIRST, damaged
from harness.errors import OptionError
from harness.image.model import Image
from harness.machine.equipment import Equipment
from harness.machine.execution_log import DISK, LOG, VARS, member
from harness.machine.moment import State

FOR_MACHINES = ("board", "disks", "start_disks", "state", "replay", "key", "members", "harness")
"""Fields in which nobody has said anything."""
FORMAT = 2
"""To be raised when an older harness cannot read what a newer one writes."""


@dataclass(frozen=True)
class Case:
    """The test, and what it said."""

    id: str
    """As pytest calls it, from its root folder on."""
    root: str
    """That folder, on the computer where it failed."""
    scenario: str = ""
    """The same id below the shipped scenarios, "" for a test of somebody else."""
    error: str = ""
    """What pytest said of the failure, "" for a test that passed."""
    fault: str = ""
    seed: str = ""
    """Of a plugin that shuffles tests or draws numbers for them, "" if there is none."""
    console_at: int | None = None
    """Where the console was at that moment, in bytes, if that matters: the bundle may be made later."""


@dataclass(frozen=True)
class Subject:
    """The image that the appliance started with, and how to make it again."""

    digest: str
    hostname: str
    build: str
    arch: str
    builder: str
    kernel: str
    own: str = ""
    """The name of the project's own instance that it is built from, "" for another one."""
    instance: str = ""
    """The folder of the instance, on the computer where the test failed."""
    file: str = ""
    """The same of a finished image."""
    modules: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, image: Image, *, own: str, file: str) -> Subject:
        """What a bundle says of this image."""
        kernel = f"{image.kernel.release} {image.kernel.version}".strip()
        facts = {name: str(getattr(image, name)) for name in ("digest", "hostname", "build", "arch", "builder")}
        instance = "" if own else image.instance
        return cls(**facts, kernel=kernel, own=own, instance=instance, file=file, modules=dict(image.modules))

    def __str__(self) -> str:
        return f"{self.hostname} ({self.arch}) build {self.build} by {self.builder}, digest {self.digest[:16]}"


@dataclass(frozen=True)
class Qemu:
    """The machine's program, and how it was started."""

    version: str
    digest: str
    accelerator: str
    command: tuple[str, ...] = ()
    """The whole command line, program first; empty where the machine was never switched on."""


@dataclass(frozen=True)
class Left:
    """What the harness knew of the appliance, beside its machine."""

    start: Mapping[str, Any] | None = None
    boot: Mapping[str, Any] | None = None
    last_words: tuple[str, ...] = ()
    """The last lines of its console."""


@dataclass(frozen=True)
class Began:
    """What one recorded execution began with, beside its files."""

    number: int
    """Counted from 1 over the life of the appliance; the names of its files have it."""
    at: int
    """Where its console begins, in bytes of that of the appliance."""
    end: int
    """Where that ends."""
    append: str | None = None
    """The kernel's command line, where the harness loaded the kernel."""
    has_vars: bool = False
    """Whether the firmware's variables are among its files."""

    @property
    def members(self) -> tuple[str, ...]:
        """Its files in the bundle."""
        return tuple(member(self.number, name) for name in (LOG, DISK, *([VARS] if self.has_vars else [])))


@dataclass(frozen=True)
class Replay:
    """What was recorded of the appliance, to be run again."""

    identity: Mapping[str, Any]
    """Of its machine."""
    executions: tuple[Began, ...]

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Replay:
        """What ``dataclasses.asdict`` and JSON made of one; raises KeyError, TypeError, ValueError."""
        executions = tuple(Began(**one) for one in data["executions"])
        return cls(dict(data["identity"]), executions)


@dataclass(frozen=True)
class Manifest:
    """Everything that a bundle says; the files that it names lie beside it."""

    case: Case
    board: str
    wanted: Mapping[str, Any]
    """Those fields of the test's Wanted that JSON can have."""
    options: Mapping[str, Any]
    """What the command line and the ini file said, by ini names."""
    subject: Subject
    qemu: Qemu
    equipment: Mapping[str, Any]
    firmware: str
    """The digest of the board's firmware files."""
    clock: str
    left: Left = field(default_factory=Left)
    disks: tuple[str, ...] = ()
    start_disks: tuple[str, ...] = ()
    """The same disks as the machine began with them, at its last power-on or restored from a snapshot."""
    state: State | None = None
    replay: Replay | None = None
    """None where nothing was recorded."""
    key: str = ""
    """The name of a throw-away SSH key that breakglass accepts, "" if none is in it."""
    members: tuple[str, ...] = ()
    """All other files of the bundle."""
    notes: tuple[str, ...] = ()
    """What is not in it, and why."""
    harness: str = __version__

    def to_json(self, hide: Callable[[bytes], bytes] = bytes) -> str:
        """The text of ``bundle.json``, with what is secret hidden in all that people or programs have said."""
        facts = {
            name: value if name in FOR_MACHINES else _hidden(value, hide) for name, value in asdict(self).items()
        }
        return json.dumps({"format": FORMAT, **facts}, indent=1)

    @classmethod
    def of_json(cls, text: bytes, where: Path) -> Manifest:
        """Read the text of ``bundle.json``; raises OptionError."""
        try:
            data = json.loads(text)
            number = data.pop("format")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise _unreadable(where, error) from error
        if number != FORMAT:
            raise OptionError(
                f"this bundle has the format {number}, and this harness reads {FORMAT}",
                where=str(where),
                hint=f"use the harness that made it ({data.get('harness')}; this one is {__version__})",
            )
        try:
            state, replay = data["state"], data["replay"]
            made = cls(
                **{
                    **data,
                    "case": Case(**data["case"]),
                    "subject": Subject(**data["subject"]),
                    "qemu": Qemu(**_tuples(data["qemu"])),
                    "left": Left(**_tuples(data["left"])),
                    "state": None if state is None else State(**_tuples(state)),
                    "replay": None if replay is None else Replay.of_json(replay),
                    **_tuples({name: data[name] for name in ("disks", "start_disks", "members", "notes")}),
                }
            )
            # They raise what does not fit.
            made.equipment_again, made.wanted_again("x")
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _unreadable(where, error) from error
        made._must_name_plain_files(where)
        return made

    def _must_name_plain_files(self, where: Path) -> None:
        """Raise OptionError if a file is named that does not lie in the bundle."""
        files = [
            *self.disks,
            *self.start_disks,
            *([self.key] if self.key else []),
            *(self.state.files.values() if self.state else ()),
            *(name for one in (self.replay.executions if self.replay else ()) for name in one.members),
        ]
        strange = [name for name in files if name not in self.members or "/" in name]
        if strange or (self.state is not None and not self.disks):
            raise OptionError(f"this bundle names files that it has not: {', '.join(strange)}", where=str(where))

    @property
    def equipment_again(self) -> Equipment:
        """The equipment of its machine."""
        return Equipment.from_json(self.equipment)

    def wanted_again(self, name: str) -> Wanted:
        """What the test asked of its appliance, for one that is called otherwise; raises OptionError."""
        return Wanted(board(self.board), name, **_tuples(self.wanted))


def wanted_facts(wanted: Wanted) -> dict[str, Any]:
    """Those fields of what a test asks for that JSON can have."""
    left_out = ("board", "name", "image", "doors", "machines")
    return {one.name: getattr(wanted, one.name) for one in fields(wanted) if one.name not in left_out}


def _hidden(value: Any, hide: Callable[[bytes], bytes]) -> Any:
    if isinstance(value, str):
        return hide(value.encode(errors="replace")).decode(errors="replace")
    if isinstance(value, Mapping):
        return {name: _hidden(one, hide) for name, one in value.items()}
    return [_hidden(one, hide) for one in value] if isinstance(value, list | tuple) else value


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}


def _unreadable(where: Path, error: Exception) -> OptionError:
    return damaged(where, f"its {FIRST} cannot be read", evidence=f"{type(error).__name__}: {error}")

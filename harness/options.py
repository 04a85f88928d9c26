"""The options of a run, each with its ini twin: ``--gk-board`` on the command line is ``gk_board`` in a file.

A new option is a field of ``Settings`` that begins with its row; one of a build is a field of ``BuildOptions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.appliance.device_options import DeviceOptions
from harness.appliance.limits import Limits, limits
from harness.appliance.wanted import Clock
from harness.build.request import COMMANDS, BuildOptions
from harness.build.subject import Subject
from harness.console.options import ConsoleOptions
from harness.errors import OptionError
from harness.gokrazy.expected import Expectations, expectations
from harness.machine.options import RUNS, MachineOptions
from harness.option import (
    Option,
    boards,
    factor,
    names,
    path,
    path_always,
    rows,
    share,
    whole,
    words,
)
from harness.store.root import default_root

if TYPE_CHECKING:
    import pytest

    from harness.machine.equipment import Equipment

ARTIFACTS = ".gokharness"
PLACES = "gk_places"
"""Where a worker finds the absolute paths among the options."""

ALL = (*COMMANDS, "repro")
"""Those that may build an image, or start a machine."""

OWN_ARGUMENTS = "with --gk-qemu-arg, the machine is no longer the board as documented, and each start is cold"


# What is not on the way of ``pytest --help`` is imported where it is needed.


def _hardware(value: object) -> tuple[str, ...]:
    from harness.boards.variants import joined, parse

    return tuple(dict.fromkeys(joined(parse(name)) for name in names(value)))


@dataclass(frozen=True, kw_only=True)
class Settings(MachineOptions, ConsoleOptions, BuildOptions, DeviceOptions, Subject):
    """The options of a run, checked; None or empty where nothing was said."""

    boards: tuple[str, ...] | None = Option(
        "board",
        "boards, separated by commas (default: pc-bios,pc-uefi,virt; for a Raspberry Pi's image "
        "raspi-virt,raspi3b,raspi4b)",
        kind="list",
        metavar="NAME[,NAME]",
        reader=boards,
        commands=RUNS,
    ).default(None)
    hardware: tuple[str, ...] = Option(
        "hardware",
        "parts that the boards have in place of their own, such as nvme+igb; each board is played with each of "
        "them (docs/parts.md)",
        kind="list",
        metavar="PART[+PART]",
        reader=_hardware,
        commands=RUNS,
    ).default(())
    accel: Literal["auto", "tcg", "kvm"] = Option(
        "accel",
        "accelerator; auto takes KVM if a trial machine ran on it",
        metavar="NAME",
        choices=("auto", "tcg", "kvm"),
    ).default("auto")
    no_quirks: bool = Option(
        "no-quirks", "give Raspberry Pi boards the device tree of the image unchanged", kind="flag"
    ).default(False)
    network: Literal["restricted", "open"] = Option(
        "network",
        "what the guest may reach: nobody, or all that this host reaches",
        metavar="MODE",
        choices=("restricted", "open"),
        commands=("boot", "run"),
    ).default("restricted")
    warm: Literal["off", "session", "persist"] = Option(
        "warm",
        "restore machines from a snapshot, taken in this run (session) or in an earlier one (persist)",
        metavar="MODE",
        choices=("off", "session", "persist"),
    ).default("session")
    password_file: Path | None = Option(
        "password-file",
        "file with the password of the web interface",
        metavar="FILE",
        reader=path,
        place=path_always,
        is_read=True,
        commands=ALL,
    ).default(None)
    ssh_key: Path | None = Option(
        "ssh-key",
        "private key that breakglass accepts",
        metavar="FILE",
        reader=path,
        place=path_always,
        is_read=True,
        commands=ALL,
    ).default(None)
    clock: Clock = Option(
        "clock",
        "the time on a board without a clock when it is switched on: unset, or that of this host",
        metavar="TIME",
        choices=("unset", "now"),
    ).default("unset")
    time_factor: float = Option(
        "time-factor", "multiply every time limit by this", metavar="FACTOR", reader=factor
    ).default(1.0)
    artifacts: Path = Option(
        "artifacts",
        "where logs and the report go (default: .gokharness)",
        metavar="DIR",
        reader=path,
        place=path_always,
        commands=(*ALL, "bootery"),
    ).made_by(lambda: Path.cwd() / ARTIFACTS)
    report_json: Path | None = Option(
        "report-json",
        "also write the report as JSON to this file (report.json is always beside report.html)",
        metavar="FILE",
        reader=path,
        place=path_always,
        commands=("check",),
    ).default(None)
    history: Path | None = Option(
        "history",
        "compare boot times with the earlier runs in this file, to which a run adds its own",
        metavar="FILE",
        reader=path,
        place=path_always,
        commands=("check", "report"),
    ).default(None)
    cache: Path | None = Option(
        "cache",
        "where built images and snapshots are kept (default: ~/.cache/gokharness)",
        metavar="DIR",
        reader=path,
        place=path_always,
        commands=(*ALL, "replay", "cache", "bootery"),
    ).default(None)
    bundle: Literal["failed", "all", "off"] | None = Option(
        "bundle",
        "of which tests a bundle is kept, one file that gokharness repro opens elsewhere (default: of the first 3 "
        "that fail in each process)",
        metavar="WHICH",
        choices=("failed", "all", "off"),
        commands=("check",),
    ).default(None)
    bundle_disk: bool = Option(
        "bundle-disk",
        "put disk and memory into bundles also where they may have secrets of the owner of the image",
        kind="flag",
        commands=("check",),
    ).default(False)
    record: bool = Option(
        "record",
        "record each appliance from power-on; the bundle of a failed test has what gokharness replay runs again "
        "exactly",
        kind="flag",
        commands=("check",),
    ).default(False)
    tier: Literal["ci", "nightly", "all"] = Option(
        "tier", "which tests to run", metavar="TIER", choices=("ci", "nightly", "all")
    ).default("ci")
    shard: tuple[int, int] | None = Option(
        "shard", "run one share of the tests; the shares take about equally long", metavar="I/N", reader=share
    ).default(None)
    repeat: int = Option(
        "repeat",
        "run each test this many times, and report those that did not always pass",
        metavar="N",
        reader=whole("times", 1, 1_000_000),
    ).default(1)
    boot_again: bool = Option(
        "boot-again",
        "after a failed start, boot again for each test that needs that board",
        kind="flag",
        commands=("check", "boot"),
    ).default(False)
    pause: bool = Option(
        "pause", "stop at a failed test with its machine alive, and say how to reach it, until Enter", kind="flag"
    ).default(False)
    list: bool = Option(
        "list", "only list what would run, and about how long it takes", kind="flag", commands=("check",)
    ).default(False)
    strict: bool = Option(
        "strict", "a skipped test is a failure, and so is a part of a test that was left out", kind="flag"
    ).default(False)
    must_run: tuple[str, ...] = Option(
        "must-run",
        "services that must run and never fall, separated by commas",
        kind="list",
        metavar="SERVICE[,SERVICE]",
        reader=words,
        commands=("check",),
    ).default(())
    expect: tuple[str, ...] = Option(
        "expect",
        "what a service may do here, such as 'wifi: restarts' (or ends, or runs); may be repeated",
        kind="list",
        metavar="SERVICE:FATE",
        reader=words,
        commands=("check",),
    ).default(())

    limits: tuple[str, ...] = Option(
        "limits",
        "the most that the image may take, such as 'memory: 90' (MiB at rest), 'root: 40', 'bootfs: 30' (MiB), "
        "'boot: 1.3' (times as long as the project's own image)",
        kind="lines",
        metavar="NAME: NUMBER",
        reader=words,
        commands=("check",),
    ).default(())

    @property
    def most(self) -> Limits:
        """What the owner of the instance says of its size and speed; raises OptionError."""
        return limits(self.limits)

    @property
    def expected(self) -> Expectations:
        """What the owner of the instance says of its services; raises OptionError."""
        return expectations(self.must_run, self.expect)

    @property
    def is_own(self) -> bool:
        """Whether the project's own images are tested, so that no scenario may be skipped."""
        return self.device is None and super().is_own

    @property
    def changes_machines(self) -> bool:
        """Whether machines are to differ from their boards as documented."""
        return bool(self.memory or self.cpus or self.disk or self.qemu_arg or self.hardware)

    @property
    def equipment(self) -> Equipment:
        """What the machines of this run are to be beyond their boards."""
        from harness.machine.equipment import Equipment

        return Equipment(
            forwards=self.forward,
            network=self.network,
            memory=self.memory,
            # QEMU records one processor.
            cpus=1 if self.record else self.cpus,
            disks=self.disk,
            qemu_args=self.qemu_arg,
        )

    @property
    def password(self) -> str | None:
        """What the password file says, None where there is none."""
        return self.password_file.read_text("utf-8").strip() if self.password_file is not None else None

    @property
    def cache_root(self) -> Path:
        """Where built images are kept."""
        return self.cache or default_root()


OPTIONS = rows(Settings)
OF_MACHINES = frozenset(option.field for option in rows(BuildOptions)) | {
    *("instance", "from_image", "boards", "accel", "no_quirks", "network", "forward", "memory", "cpus", "disk"),
    *("qemu_arg", "hardware", "warm", "clock", "bundle", "bundle_disk", "pause", "record"),
}
"""The fields of options that mean nothing to a real device."""


def settings_from(values: Mapping[str, object], *, folder: Path | None = None) -> Settings:
    """Check raw option values (by ini name, None where unset); raises OptionError naming the option.

    Paths that are relative still begin at ``folder``, the current one if none is given.
    """
    said = {option: values[option.ini] for option in OPTIONS if values.get(option.ini) is not None}
    place = folder or Path.cwd()
    settings = Settings(**{one.field: one.read(one.located(value, place)) for one, value in said.items()})  # type: ignore[arg-type]
    if settings.instance is not None and settings.image is not None:
        raise OptionError(
            "--gk-instance and --gk-image name two things to test",
            hint="give one; --gk-next-image takes the other",
        )
    settings.expected  # noqa: B018  it raises
    settings.most  # noqa: B018
    of_machines = [option.flag for option in said if option.field in OF_MACHINES and said[option] is not False]
    settings.refuse_device([option.flag for option in said], of_machines)
    return settings


def add_options(parser: pytest.Parser) -> None:
    """Add each option and its ini twin to pytest's."""
    group = parser.getgroup("gokrazy", "gokrazy appliances under QEMU")
    for option in OPTIONS:
        text = f"{option.help} (ini: {option.ini})"
        if option.kind == "flag":
            group.addoption(option.flag, dest=option.ini, action="store_true", default=None, help=text)
            parser.addini(option.ini, option.help, type="bool", default=None)
        elif option.kind in ("list", "lines"):
            group.addoption(
                option.flag, dest=option.ini, action="append", default=None, metavar=option.metavar, help=text
            )
            kind: Literal["args", "linelist"] = "args" if option.kind == "list" else "linelist"
            parser.addini(option.ini, option.help, type=kind, default=None)
        else:
            group.addoption(
                option.flag,
                dest=option.ini,
                default=None,
                metavar="|".join(option.choices) or option.metavar,
                choices=option.choices or None,
                help=text,
            )
            parser.addini(option.ini, option.help, default=None)


def as_flags(values: Mapping[str, object]) -> list[str]:
    """The options as pytest takes them, from what was said by ini names."""
    flags = []
    for option in OPTIONS:
        value = values.get(option.ini)
        if value is True:
            flags.append(option.flag)
        elif value is not None and value is not False:
            flags += [f"{option.flag}={one}" for one in (value if isinstance(value, list | tuple) else [value])]
    return flags


def options_said(config: pytest.Config) -> dict[str, object]:
    """What command line and ini file say, by ini names, with paths made absolute; raises OptionError.

    A path of the command line begins at the folder where that was typed, one of an ini file at the file's. A
    worker of pytest-xdist may start in another folder: it takes the paths that its controller made absolute.
    """
    values: dict[str, object] = {}
    for option in OPTIONS:
        value, folder = config.getoption(option.ini), config.invocation_params.dir
        if value is None:
            value = config.getini(option.ini) or None
            folder = config.inipath.parent if config.inipath is not None else folder
        values[option.ini] = option.located(value, folder)
    values["gk_artifacts"] = values["gk_artifacts"] or str(config.invocation_params.dir / ARTIFACTS)
    return {**values, **getattr(config, "workerinput", {}).get(PLACES, {})}


def must_be_readable(settings: Settings) -> None:
    """Raise OptionError for a file that was named to be read, and is not there."""
    for option in OPTIONS:
        path = getattr(settings, option.field) if option.is_read else None
        if path is None:
            continue
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise OptionError(
                f"the file of {option.flag} cannot be read: {error.strerror}",
                where=str(path),
                hint="check its path",
            ) from None

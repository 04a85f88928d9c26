"""The options of a run, each with its ini twin: ``--gk-board`` on the command line is ``gk_board`` in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.appliance.wanted import Clock
from harness.errors import OptionError
from harness.gokrazy.expected import Expectations, expectations
from harness.run.shard import Shard

if TYPE_CHECKING:
    import pytest

    from harness.machine.equipment import Equipment
    from harness.machine.extra_disk import ExtraDisk
    from harness.machine.ports import Port

Kind = Literal["text", "flag", "list", "number"]
Place = Literal["", "path", "path or name", "instance"]
ARTIFACTS = ".gokharness"
PLACES = "gk_places"
"""What a worker is told: the absolute paths among the options."""

ALL = ("check", "build", "boot")
RUNS = ("check", "boot")
"""Those commands of gokharness that start machines."""

OWN_ARGUMENTS = "with --gk-qemu-arg, what is tested is no longer the board as documented, and each start is cold"


@dataclass(frozen=True)
class Option:
    """One option: ``name`` without the ``gk`` prefix."""

    name: str
    help: str
    kind: Kind = "text"
    metavar: str = ""
    choices: tuple[str, ...] = ()
    place: Place = ""
    """Whether it names a file or folder, does so if that is there, or knows instances by their names too."""
    commands: tuple[str, ...] = ()
    """The commands of gokharness that have it as a flag of their own; the others take it after ``--``."""
    called: str = ""
    """Its name there, where that is another one."""

    @property
    def flag(self) -> str:
        """As it stands on the command line."""
        return f"--gk-{self.name}"

    @property
    def ini(self) -> str:
        """As it stands in pytest.ini, tox.ini or pyproject.toml, and the attribute's name."""
        return f"gk_{self.name.replace('-', '_')}"

    def flag_of(self, command: str) -> str:
        """As it stands on the command line of ``gokharness COMMAND``; "" is pytest's."""
        if not command:
            return self.flag
        return f"--{self.called or self.name}" if command in self.commands else f"-- {self.flag}"

    def located(self, value: str, folder: Path) -> str:
        """The value with its path made absolute, if it is one; a relative path begins at ``folder``.

        What could be a name too is a path if there is something, or if it is written like one. Raises OptionError.
        """
        if not self.place:
            return value
        if not value:
            raise OptionError(f"{self.flag} is empty", hint=f"give it as {self.flag} {self.metavar}")
        try:
            path = folder.absolute() / Path(value).expanduser()
        except RuntimeError:
            raise OptionError(f"{self.flag} {value}: there is no such user", hint="write the whole path") from None
        if self.place != "path" and not value.startswith((".", "/", "~")) and not self._is_there(value, path):
            return value
        if ".." in path.parts:
            path = path.resolve() if path.name == ".." else path.parent.resolve() / path.name
        return str(path)

    def _is_there(self, value: str, path: Path) -> bool:
        from harness.build.instance import parent_dir

        if self.place == "instance" and path.is_dir() and not (path / "config.json").is_file():
            return not (parent_dir() / value / "config.json").is_file()
        return path.exists()


OPTIONS = (
    Option(
        "instance",
        "gokrazy instance to build: a folder, or a name under ~/gokrazy",
        metavar="DIR|NAME",
        place="instance",
    ),
    Option(
        "image", "finished disk image instead: raw, .gz, .xz, .zst, qcow2 or .gaf", metavar="FILE", place="path"
    ),
    Option(
        "next-image",
        "image or instance that the update scenarios install",
        metavar="FILE|DIR",
        place="instance",
        commands=("check",),
        called="next",
    ),
    Option(
        "from",
        "older image or instance: boot it, update to the candidate, and back",
        metavar="FILE|DIR",
        place="instance",
        commands=("check",),
    ),
    Option(
        "board",
        "boards, separated by commas (default: pc-bios,pc-uefi,virt; the Raspberry Pi's for its own images)",
        kind="list",
        metavar="NAME[,NAME]",
        commands=RUNS,
    ),
    Option(
        "accel",
        "accelerator; auto uses KVM only if it was seen to work",
        metavar="NAME",
        choices=("auto", "tcg", "kvm"),
    ),
    Option(
        "builder",
        "who packs the image: gok, or the harness's own packer; auto takes gok where it can",
        metavar="NAME",
        choices=("auto", "gok", "own"),
        commands=ALL,
    ),
    Option(
        "kernel",
        "another kernel: a module version, or a folder with vmlinuz",
        metavar="MODULE@VERSION|DIR",
        place="path or name",
        commands=ALL,
    ),
    Option(
        "with", "another version of a module; may be repeated", kind="list", metavar="MODULE@VERSION", commands=ALL
    ),
    Option("serial", "build with a serial console on this board", kind="flag", commands=ALL),
    Option(
        "perm",
        "how /perm is before the first start: formatted, or blank (default: as a finished image has it; what is "
        "built from an instance has it formatted, unless one of its programs does that)",
        metavar="STATE",
        choices=("ext4", "blank"),
        commands=ALL,
    ),
    Option("fast-boot", "drop rootdelay from the kernel's command line", kind="flag", commands=ALL),
    Option("no-quirks", "give Raspberry Pi boards the device tree of the image as it is", kind="flag"),
    Option(
        "network",
        "what the guest may reach: nobody, or all that this host reaches",
        metavar="MODE",
        choices=("restricted", "open"),
        commands=("boot",),
    ),
    Option(
        "forward",
        "ports of the appliance to reach from this host, separated by commas: 8080,53/udp",
        kind="list",
        metavar="PORT[,PORT]",
        commands=RUNS,
    ),
    Option(
        "memory",
        "memory of the machine in MiB, on boards where it can be chosen",
        kind="number",
        metavar="MIB",
        commands=RUNS,
    ),
    Option("cpus", "processors of the machine, likewise", kind="number", metavar="N", commands=RUNS),
    Option(
        "disk",
        "a further disk: a raw or qcow2 file, never written to, or the size of an empty one; may be repeated",
        kind="list",
        metavar="FILE|SIZE",
        place="path or name",
        commands=RUNS,
    ),
    Option(
        "qemu-arg",
        "one more argument for QEMU, as it is; may be repeated; what is tested is then no documented board",
        kind="list",
        metavar="ARG",
        commands=RUNS,
    ),
    Option(
        "warm",
        "give each test a copy of a machine that was booted once: in this run or, with persist, in an earlier one",
        metavar="MODE",
        choices=("off", "session", "persist"),
    ),
    Option("password-file", "file with the web interface's password", metavar="FILE", place="path", commands=ALL),
    Option("ssh-key", "private key that breakglass accepts", metavar="FILE", place="path", commands=ALL),
    Option(
        "clock",
        "what a board without a clock knows of the time at first: nothing, or the present",
        metavar="TIME",
        choices=("unset", "now"),
    ),
    Option("timestamp", "build timestamp to write into the image", metavar="RFC3339"),
    Option("time-factor", "multiply every time limit by this", kind="number", metavar="FACTOR"),
    Option(
        "artifacts",
        "where logs and the report go (default: .gokharness)",
        metavar="DIR",
        place="path",
        commands=ALL,
    ),
    Option("cache", "where built images are kept", metavar="DIR", place="path", commands=(*ALL, "cache")),
    Option("tier", "which tests to run", metavar="TIER", choices=("ci", "nightly", "all")),
    Option("shard", "run one share of the tests, dealt by how long they last took", metavar="I/N"),
    Option("repeat", "run each test so many times, and say which did not always pass", kind="number", metavar="N"),
    Option(
        "boot-again",
        "start what did not come up on a board for each test that needs it",
        kind="flag",
        commands=RUNS,
    ),
    Option("list", "only say what would run, and about how long it takes", kind="flag", commands=("check",)),
    Option("strict", "a skip is a failure, and so is a part of a test that was left out", kind="flag"),
    Option(
        "must-run",
        "services that must run and never fall, separated by commas",
        kind="list",
        metavar="SERVICE[,SERVICE]",
        commands=("check",),
    ),
    Option(
        "expect",
        "what a service may do here, such as 'wifi: restarts' (or ends, or runs); may be repeated",
        kind="list",
        metavar="SERVICE:FATE",
        commands=("check",),
    ),
)


@dataclass(frozen=True)
class Settings:
    """The options of a run, checked; None where nothing was said."""

    instance: str | None = None
    image: Path | None = None
    next_image: str | None = None
    from_image: str | None = None
    boards: tuple[str, ...] | None = None
    accel: Literal["auto", "tcg", "kvm"] = "auto"
    builder: Literal["auto", "gok", "own"] = "auto"
    kernel: str | None = None
    with_modules: tuple[str, ...] = ()
    serial: bool = False
    perm: Literal["ext4", "blank"] | None = None
    fast_boot: bool = False
    no_quirks: bool = False
    network: Literal["restricted", "open"] = "restricted"
    forward: tuple[Port, ...] = ()
    memory: int = 0
    """MiB; 0 for what the board has."""
    cpus: int = 0
    disk: tuple[ExtraDisk, ...] = ()
    qemu_arg: tuple[str, ...] = ()
    warm: Literal["off", "session", "persist"] = "session"
    password_file: Path | None = None
    ssh_key: Path | None = None
    clock: Clock = "unset"
    timestamp: str | None = None
    time_factor: float = 1.0
    artifacts: Path = field(default_factory=lambda: Path.cwd() / ARTIFACTS)
    cache: Path | None = None
    tier: str = "ci"
    shard: Shard | None = None
    repeat: int = 1
    boot_again: bool = False
    list: bool = False
    strict: bool = False
    must_run: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()

    @property
    def expected(self) -> Expectations:
        """What the owner of the instance says of its services."""
        return expectations(self.must_run, self.expect)

    @property
    def is_own(self) -> bool:
        """Whether the project's own images are tested, so that no scenario may be skipped."""
        return self.instance is None and self.image is None

    @property
    def changes_machines(self) -> bool:
        """Whether machines are to be otherwise than their boards are documented."""
        return bool(self.memory or self.cpus or self.disk or self.qemu_arg)

    @property
    def equipment(self) -> Equipment:
        """What the machines of this run are to be beyond their boards."""
        from harness.machine.equipment import Equipment

        return Equipment(
            forwards=self.forward,
            network=self.network,
            memory=self.memory,
            cpus=self.cpus,
            disks=self.disk,
            qemu_args=self.qemu_arg,
        )

    @property
    def cache_root(self) -> Path:
        """Where built images are kept."""
        from harness.store.root import default_root

        return self.cache or default_root()


def settings_from(values: Mapping[str, object], *, folder: Path | None = None) -> Settings:
    """Check raw option values (by ini name, None where unset); raises OptionError naming the option.

    Paths that are relative still begin at ``folder``, the current one if none is given.
    """
    for option in OPTIONS:
        value = values.get(option.ini)
        if option.choices and value is not None and value not in option.choices:
            raise OptionError(
                f"{option.flag} does not know {value!r}", hint=f"choose from: {', '.join(option.choices)}"
            )
    known = located({name: value for name, value in values.items() if value is not None}, folder or Path.cwd())
    if "gk_instance" in known and "gk_image" in known:
        raise OptionError(
            "--gk-instance and --gk-image name two things to test",
            hint="give one; --gk-next-image takes the other",
        )
    result: dict[str, object] = {}
    for name, value in known.items():
        field = {"gk_board": "boards", "gk_with": "with_modules", "gk_from": "from_image"}.get(name, name[3:])
        result[field] = _converted(field, value)
    settings = Settings(**result)  # type: ignore[arg-type]
    settings.expected  # noqa: B018  it raises
    return settings


def add_options(parser: pytest.Parser) -> None:
    """Add each option and its ini twin to pytest's."""
    group = parser.getgroup("gokrazy", "gokrazy appliances under QEMU")
    for option in OPTIONS:
        text = f"{option.help} (ini: {option.ini})"
        if option.kind == "flag":
            group.addoption(option.flag, dest=option.ini, action="store_true", default=None, help=text)
            parser.addini(option.ini, option.help, type="bool", default=None)
        elif option.kind == "list":
            group.addoption(
                option.flag, dest=option.ini, action="append", default=None, metavar=option.metavar, help=text
            )
            parser.addini(option.ini, option.help, type="args", default=None)
        else:
            group.addoption(
                option.flag,
                dest=option.ini,
                default=None,
                metavar=option.metavar,
                choices=option.choices or None,
                help=text,
            )
            parser.addini(option.ini, option.help, default=None)


def options_said(config: pytest.Config) -> dict[str, object]:
    """What command line and ini file say, by ini names, with paths made absolute; raises OptionError.

    As pytest has it, a path of the command line begins at the folder where that was typed, one of an ini file at
    the file's. A worker of pytest-xdist may start in another folder: it is told what its controller made of them.
    """
    values: dict[str, object] = {}
    for option in OPTIONS:
        value, folder = config.getoption(option.ini), config.invocation_params.dir
        if value is None:
            value = config.getini(option.ini) or None
            folder = config.inipath.parent if config.inipath is not None else folder
        if option.place and value is not None:
            value = _located(option, value, folder)
        values[option.ini] = value
    values["gk_artifacts"] = values["gk_artifacts"] or str(config.invocation_params.dir / ARTIFACTS)
    return {**values, **getattr(config, "workerinput", {}).get(PLACES, {})}


def located(values: Mapping[str, object], folder: Path) -> dict[str, object]:
    """The values with every path in them made absolute; raises OptionError."""
    places = {option.ini: option for option in OPTIONS if option.place}
    return {
        name: value if value is None or name not in places else _located(places[name], value, folder)
        for name, value in values.items()
    }


def _located(option: Option, value: object, folder: Path) -> object:
    if isinstance(value, list | tuple):
        return [option.located(str(one), folder) for one in value]
    return option.located(str(value), folder)


_PATHS = frozenset(option.ini.removeprefix("gk_") for option in OPTIONS if option.place == "path")


def must_be_readable(settings: Settings) -> None:
    """Raise OptionError for a file that was named to be read, and is not there."""
    for flag, path in (("--gk-password-file", settings.password_file), ("--gk-ssh-key", settings.ssh_key)):
        if path is None:
            continue
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise OptionError(
                f"the file of {flag} cannot be read: {error.strerror}", where=str(path), hint="check its path"
            ) from None


def _converted(field: str, value: object) -> object:
    if field in ("boards", "with_modules"):
        items = value if isinstance(value, Sequence) and not isinstance(value, str) else [str(value)]
        return tuple(part.strip() for item in items for part in str(item).split(",") if part.strip()) or None
    if field in ("must_run", "expect"):
        return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)
    if field in ("forward", "memory", "cpus", "disk", "qemu_arg"):
        from harness.run.asked import READ

        return READ[field](value)
    if field in _PATHS:
        return Path(str(value))
    if field == "time_factor":
        try:
            factor = float(str(value))
        except ValueError:
            factor = 0.0
        if not factor > 0:
            raise OptionError(f"--gk-time-factor {value!r} is not a number above 0", hint="for example 2.5")
        return factor
    if field == "shard":
        return Shard.parse(str(value))
    if field == "repeat":
        if not str(value).isdecimal() or int(str(value)) < 1:
            raise OptionError(f"--gk-repeat {value!r} is not a number of times", hint="for example 20")
        return int(str(value))
    return value

"""The options of a run, each with its ini twin: ``--gk-board`` on the command line is ``gk_board`` in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import OptionError
from harness.shard import Shard

Kind = Literal["text", "flag", "list", "number"]
Clock = Literal["unset", "now"]


@dataclass(frozen=True)
class Option:
    """One option: ``name`` without the ``gk`` prefix."""

    name: str
    help: str
    kind: Kind = "text"
    metavar: str = ""
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """As it stands on the command line."""
        return f"--gk-{self.name}"

    @property
    def ini(self) -> str:
        """As it stands in pytest.ini, tox.ini or pyproject.toml, and the attribute's name."""
        return f"gk_{self.name.replace('-', '_')}"


OPTIONS = (
    Option("instance", "gokrazy instance to build: a folder, or a name under ~/gokrazy", metavar="DIR|NAME"),
    Option("image", "finished disk image instead: raw, .gz, .xz, .zst, qcow2 or .gaf", metavar="FILE"),
    Option("next-image", "image or instance that the update scenarios install", metavar="FILE|DIR"),
    Option("from", "older image or instance: boot it, update to the candidate, and back", metavar="FILE|DIR"),
    Option(
        "board",
        "boards, separated by commas (default: pc-bios,pc-uefi,virt; the Raspberry Pi's for its own images)",
        kind="list",
        metavar="NAME[,NAME]",
    ),
    Option(
        "accel",
        "accelerator; auto uses KVM only if it was seen to work",
        metavar="NAME",
        choices=("auto", "tcg", "kvm"),
    ),
    Option("builder", "who packs the image", metavar="NAME", choices=("auto", "gok", "own")),
    Option("kernel", "another kernel: a module version, or a folder with vmlinuz", metavar="MODULE@VERSION|DIR"),
    Option("with", "another version of a module; may be repeated", kind="list", metavar="MODULE@VERSION"),
    Option("serial", "build with a serial console on this board", kind="flag"),
    Option(
        "perm",
        "how /perm is before the first start: formatted, or blank (default: as a finished image has it; what is "
        "built from an instance has it formatted, unless one of its programs does that)",
        metavar="STATE",
        choices=("ext4", "blank"),
    ),
    Option("fast-boot", "drop rootdelay from the kernel's command line", kind="flag"),
    Option("no-quirks", "give Raspberry Pi boards the device tree of the image as it is", kind="flag"),
    Option("network", "what the guest may reach", metavar="MODE", choices=("restricted", "open")),
    Option(
        "warm",
        "give each test a copy of a machine that was booted once: in this run or, with persist, in an earlier one",
        metavar="MODE",
        choices=("off", "session", "persist"),
    ),
    Option("password-file", "file with the web interface's password", metavar="FILE"),
    Option("ssh-key", "private key that breakglass accepts", metavar="FILE"),
    Option(
        "clock",
        "what a board without a clock knows of the time at first: nothing, or the present",
        metavar="TIME",
        choices=("unset", "now"),
    ),
    Option("timestamp", "build timestamp to write into the image", metavar="RFC3339"),
    Option("time-factor", "multiply every time limit by this", kind="number", metavar="FACTOR"),
    Option("artifacts", "where logs and the report go (default: .gokharness)", metavar="DIR"),
    Option("cache", "where built images are kept", metavar="DIR"),
    Option("tier", "which tests to run", metavar="TIER", choices=("ci", "nightly", "all")),
    Option("shard", "run one share of the tests, dealt by how long they last took", metavar="I/N"),
    Option("repeat", "run each test so many times, and say which did not always pass", kind="number", metavar="N"),
    Option("list", "only say what would run, and about how long it takes", kind="flag"),
    Option("strict", "a skip is a failure, and so is a part of a test that was left out", kind="flag"),
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
    warm: Literal["off", "session", "persist"] = "session"
    password_file: Path | None = None
    ssh_key: Path | None = None
    clock: Clock = "unset"
    timestamp: str | None = None
    time_factor: float = 1.0
    artifacts: Path = Path(".gokharness")
    cache: Path | None = None
    tier: str = "ci"
    shard: Shard | None = None
    repeat: int = 1
    list: bool = False
    strict: bool = False

    @property
    def is_own(self) -> bool:
        """Whether the project's own images are tested, so that no scenario may be skipped."""
        return self.instance is None and self.image is None

    @property
    def cache_root(self) -> Path:
        """Where built images are kept."""
        from harness.image.cache import default_root

        return self.cache or default_root()


def settings_from(values: Mapping[str, object]) -> Settings:
    """Check raw option values (by ini name, None where unset); raises OptionError naming the option."""
    for option in OPTIONS:
        value = values.get(option.ini)
        if option.choices and value is not None and value not in option.choices:
            raise OptionError(
                f"{option.flag} does not know {value!r}", hint=f"choose from: {', '.join(option.choices)}"
            )
    known = {name: value for name, value in values.items() if value is not None}
    if "gk_instance" in known and "gk_image" in known:
        raise OptionError(
            "--gk-instance and --gk-image name two things to test",
            hint="give one; --gk-next-image takes the other",
        )
    result: dict[str, object] = {}
    for name, value in known.items():
        field = {"gk_board": "boards", "gk_with": "with_modules", "gk_from": "from_image"}.get(name, name[3:])
        result[field] = _converted(field, value)
    return Settings(**result)  # type: ignore[arg-type]


_PATHS = frozenset({"image", "password_file", "ssh_key", "artifacts", "cache"})


def _converted(field: str, value: object) -> object:
    if field in ("boards", "with_modules"):
        items = value if isinstance(value, Sequence) and not isinstance(value, str) else [str(value)]
        return tuple(part.strip() for item in items for part in str(item).split(",") if part.strip()) or None
    if field in _PATHS:
        return Path(str(value)).expanduser()
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

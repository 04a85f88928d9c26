"""config.txt as the VideoCore firmware reads it.

Sources: "What is config.txt?", "Conditional filters" and "Boot options" of the Raspberry Pi documentation;
``dtapply`` in raspberrypi/utils; raspberrypi/firmware issues 1266 (how filters combine) and 1839 (an unknown
filter changes nothing). A property without effect here gets a warning, unless ``config_settings`` says that it
cannot matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.firmware.raspberry.config_settings import PLAYED, effect
from harness.firmware.raspberry.models import Model

LONGEST_LINE = 98
DEEPEST_INCLUDE = 8
"""Files within files; the documentation names no limit, but a file that includes itself must end."""
_LONG_NAMES = {"device_tree_overlay": "dtoverlay", "device_tree_param": "dtparam"}
_SHOWN = 60

Reader = Callable[[str], bytes | None]
"""Returns the content of a file of the boot partition, None when it does not exist."""


class NotText(ValueError):
    """A config file that contains other bytes than text; the message says which file, and where."""


@dataclass
class TreeChange:
    """One change that config.txt asks for: parameters of the device tree, or a device tree overlay with some."""

    dt_overlay: str
    """The name of the device tree overlay, "" for parameters of the tree itself."""
    parameters: list[tuple[str, str | None]] = field(default_factory=list)
    """Names and values in their order; None for a name without a value, which means "true"."""


@dataclass
class ConfigTxt:
    """What config.txt asks for on one model."""

    values: dict[str, str] = field(default_factory=dict)
    """Property -> value, from the last line that applied."""
    changes: list[TreeChange] = field(default_factory=list)
    initramfs: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def number(self, name: str, default: int) -> int:
        """The value as C reads a number; ``default`` for no value, or one that is no number."""
        number = integer(self.values.get(name, ""))
        return default if number is None else number


def integer(text: str) -> int | None:
    """The number that ``strtoul`` with base 0 reads from the whole text; None when that is no number."""
    found = re.fullmatch(r"\s*([+-]?)(?:0[xX]([0-9a-fA-F]{1,16})|0([0-7]{0,22})|([1-9][0-9]{0,19}))", text)
    if found is None:
        return None
    sign, hexadecimal, octal, decimal = found.groups()
    if hexadecimal is not None:
        number = int(hexadecimal, 16)
    else:
        number = int(decimal) if decimal is not None else int(octal or "0", 8)
    return -number if sign == "-" else number


def read_config_txt(read: Reader, model: Model, name: str = "config.txt") -> ConfigTxt:
    """Read config.txt and the files that it includes; raises NotText."""
    config = ConfigTxt()
    content = read(name)
    if content is None:
        config.warnings.append(f"there is no {name}: the firmware's defaults are used")
        return config
    _Parser(read, model, config).file(name, content, 0)
    return config


class _Parser:
    def __init__(self, read: Reader, model: Model, config: ConfigTxt) -> None:
        self._read = read
        self._model = model
        self._config = config
        self._filters: dict[str, bool] = {}
        """Kind of filter -> whether the last of that kind is true; a line counts while all of them are."""
        self._context: TreeChange | None = None

    def file(self, name: str, content: bytes, depth: int) -> None:
        for number, raw in enumerate(_text(name, content).splitlines(), start=1):
            where = f"{name} line {number}"
            line = raw.strip()
            if len(raw.rstrip()) > LONGEST_LINE and not line.startswith("#"):
                line = raw[:LONGEST_LINE].strip()
                self._warn(f"{where}: only the first {LONGEST_LINE} characters count, so not {_short(raw[98:])}")
            if line.startswith("[") and line.endswith("]"):
                self._filter(line[1:-1].strip(), where)
            elif line and not line.startswith("#") and all(self._filters.values()):
                self._line(line, where, depth)

    def _line(self, line: str, where: str, depth: int) -> None:
        word, _, rest = line.partition(" ")
        if word == "include" and rest.strip():
            self._include(rest.strip(), where, depth)
        elif word == "initramfs" and rest.strip():
            self._config.initramfs = [part for part in rest.split()[0].split(",") if part]
        elif "=" in line:
            name, _, value = line.partition("=")
            self._property(_LONG_NAMES.get(name.strip(), name.strip()), value.strip(), where)
        else:
            self._warn(f"{where}: {_short(line)} is neither a section nor property=value: ignored")

    def _include(self, name: str, where: str, depth: int) -> None:
        content = self._read(name)
        if depth >= DEEPEST_INCLUDE:
            self._warn(f"{where}: {name} is not included: there are {depth} files around this one already")
        elif content is None:
            self._warn(f"{where}: there is no {name} to include")
        else:
            self.file(name, content, depth + 1)

    def _property(self, name: str, value: str, where: str) -> None:
        if name == "dtoverlay":
            self._begin_dt_overlay(value)
        elif name == "dtparam":
            if self._context is None:
                self._context = TreeChange("")
                self._config.changes.append(self._context)
            self._context.parameters += _parameters(value.split(","))
        elif name == "ramfsfile":
            self._config.initramfs = [part.strip() for part in value.split(",") if part.strip()]
        elif name in PLAYED:
            self._config.values[name] = value
        elif (missing := effect(name)) is not None:
            self._warn(f"{where}: {name} has no effect here{missing and f': {missing}'}")

    def _begin_dt_overlay(self, value: str) -> None:
        """Begin a device tree overlay; ``dtoverlay=`` (or ``none``) ends the scope of the last one."""
        name, *parameters = value.split(",")
        if ":" in name:  # name:parameter=value is an old spelling, which the firmware still reads
            name, _, first = name.partition(":")
            parameters.insert(0, first)
        self._context = None
        if name.strip() not in ("", "none"):
            self._context = TreeChange(name.strip(), _parameters(parameters))
            self._config.changes.append(self._context)

    def _filter(self, text: str, where: str) -> None:
        if text.lower() == "all":
            self._filters.clear()
            return
        kind, applies, doubt = decide(text, self._model)
        if kind:
            self._filters[kind] = applies
        if doubt:
            self._warn(f"{where}: [{_short(text)}] {doubt}")

    def _warn(self, text: str) -> None:
        self._config.warnings.append(text)


MODEL_FILTERS = frozenset(
    "none pi0 pi0w pi02 pi1 pi2 pi3 pi3+ pi4 pi400 pi5 pi500 cm0 cm1 cm3 cm4 cm4s cm5".split()  # noqa: SIM905
)


def decide(text: str, model: Model) -> tuple[str, bool, str]:
    """The kind of a filter, whether it is true on this model, and a warning about that ("" for none).

    The kind is "" for a filter that the firmware does not know, which changes nothing.
    """
    name, has_value, value = text.partition("=")
    key = name.strip().lower()
    number = integer(value.strip())
    if not has_value and key in MODEL_FILTERS:
        return "model", key in model.filters, ""
    if key == "board-type":
        return "model", number == model.board_type, ""
    if key == "edid":
        return "edid", False, ""  # no monitor is attached
    if re.fullmatch(r"0x[0-9a-f]{1,16}", key) and not has_value:
        return "serial", False, "is taken as false: the emulated board has no serial number"
    if re.fullmatch(r"gpio[0-9]{1,2}", key):
        return "gpio", False, "is taken as false: nothing is connected to the pins"
    if key.startswith("hdmi:"):
        return "hdmi", True, ""  # says which port the display properties are for
    if key == "tryboot":
        return "tryboot", False, ""
    if key in ("partition", "boot_partition"):
        return key, number == (1 if key == "boot_partition" else 0), ""
    return "", True, "is an unknown filter, which changes nothing"


def _parameters(parts: list[str]) -> list[tuple[str, str | None]]:
    pairs = (part.partition("=") for part in parts if part.strip())
    return [(name.strip(), value.strip() if equals else None) for name, equals, value in pairs]


def _text(name: str, content: bytes) -> str:
    """The text of a config file; raises NotText for the control characters that a cut off write leaves."""
    for at, byte in enumerate(content):
        if byte < 32 and byte not in b"\t\n\r\f":
            raise NotText(f"{name} is no text: it has byte {byte:02x} at {at}")
    return content.decode("utf-8", errors="replace").replace("\f", " ")


def _short(text: str) -> str:
    """A text from the file as a message quotes it."""
    text = text.strip()
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")

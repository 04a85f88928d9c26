"""What a device says about itself, as typed data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.errors import RequestRefused, ServiceMissing


@dataclass(frozen=True)
class ServiceStatus:
    """One supervised program.

    The device keeps reporting the last process's number after it has ended, so ``pid`` does not say that it runs.
    """

    path: str
    """Such as /user/hello."""
    args: tuple[str, ...] = field(repr=False)
    """Secrets may be among them."""
    pid: int
    """Of the latest process; 0 before the first."""
    started: datetime | None
    """When the latest process was started by the device's clock; None before the first."""
    stopped: bool
    """Stopped by request, or ended with status 0 or 125: it will not be started again by itself."""
    diverted: str = ""
    """The program that runs in its place, if any."""

    @property
    def name(self) -> str:
        """The path's last element."""
        return self.path.rpartition("/")[2]

    def __str__(self) -> str:
        state = "stopped" if self.stopped else "started"
        since = self.started.isoformat() if self.started else "never"
        return f"{self.path}: {state}, pid {self.pid}, last start {since}"


@dataclass(frozen=True)
class MountStatus:
    """A file system that the instance's MountDevices asked for; sizes in bytes."""

    target: str
    used: int
    available: int
    total: int


@dataclass(frozen=True)
class Eeprom:
    """The Raspberry Pi's boot EEPROM, as the device knows it."""

    pieeprom_sha256: str
    vl805_sha256: str
    firmware_date: str


@dataclass(frozen=True)
class Status:
    """The device's front page; sizes in bytes.

    With /perm not mounted ``perm_available`` is 0 while ``perm_total`` is the root file system's size.
    """

    build_timestamp: str
    hostname: str
    model: str
    kernel: str
    """Such as ``Linux 7.1.2 (x86_64)``; empty from versions that do not report it."""
    sbom_hash: str
    perm_device: str
    perm_used: int
    perm_available: int
    perm_total: int
    perm_uuid: str
    private_addresses: tuple[str, ...]
    public_addresses: tuple[str, ...]
    services: tuple[ServiceStatus, ...]
    supervising: bool
    """False in the first moment after start, when services are not known yet."""

    @property
    def perm_is_mounted(self) -> bool:
        """Whether data in /perm stays: what is read-only has no room."""
        return self.perm_available > 0

    eeprom: Eeprom | None
    mounts: tuple[MountStatus, ...]
    memory: Mapping[str, int]
    """MemTotal and MemAvailable."""
    raw: Mapping[str, Any] = field(repr=False)
    """Everything as it came, with fields that this version does not know."""

    @property
    def kernel_release(self) -> str:
        """Such as ``7.1.2``, or empty."""
        words = self.kernel.split()
        return words[1] if len(words) > 1 else ""

    def service(self, name: str) -> ServiceStatus:
        """The service with that path or last element; raises ServiceMissing that names those that exist."""
        exact = [one for one in self.services if one.path == name]
        found = exact or [one for one in self.services if one.name == name]
        if len(found) == 1:
            return found[0]
        known = ", ".join(one.path for one in self.services) or "none at all"
        if found:
            both = " and ".join(one.path for one in found)
            raise ServiceMissing(
                f"{name!r} may be {both} on {self.hostname}", hint="give the whole path of the service"
            )
        raise ServiceMissing(
            f"{self.hostname} runs no service {name!r}; it runs {known}",
            hint="is the package in the instance's Packages, and is the new image the one that runs?",
        )


class _Fields:
    """Reads a JSON object's fields: missing ones take their zero value, wrong types are refused by name."""

    def __init__(self, data: object, where: str, inside: str = "") -> None:
        if not isinstance(data, dict):
            raise _nonsense(f"{inside or 'the answer'} is {_kind(data)}, not an object", where)
        self.data: dict[str, Any] = data
        self.where = where
        self.inside = inside

    def _get(self, name: str, kinds: tuple[type, ...], empty: Any) -> Any:
        value = self.data.get(name)
        if value is None:
            return empty
        # bool is an int in Python, not in JSON
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise _nonsense(f"{self.inside}{name} is {_kind(value)}", self.where)
        return value

    def text(self, name: str) -> str:
        return str(self._get(name, (str,), ""))

    def number(self, name: str) -> int:
        return int(self._get(name, (int,), 0))

    def flag(self, name: str) -> bool:
        return bool(self._get(name, (bool,), False))

    def texts(self, name: str) -> tuple[str, ...]:
        items = self._get(name, (list,), [])
        if not all(isinstance(item, str) for item in items):
            raise _nonsense(f"{self.inside}{name} holds something else than text", self.where)
        return tuple(items)

    def objects(self, name: str) -> list[_Fields]:
        items = self._get(name, (list,), [])
        return [_Fields(item, self.where, f"{name}[{index}].") for index, item in enumerate(items)]

    def required_text(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise _nonsense(f"{self.inside}{name} is missing", self.where)
        return value


def parse_status(text: str, where: str) -> Status:
    """The front page's JSON as a Status; raises RequestRefused where it is something else."""
    fields = _Fields(_json(text, where), where)
    eeprom = fields.data.get("EEPROM")
    memory = fields._get("Meminfo", (dict,), {})
    return Status(
        build_timestamp=fields.required_text("BuildTimestamp"),
        hostname=fields.text("Hostname"),
        model=fields.text("Model"),
        kernel=fields.text("Kernel"),
        sbom_hash=fields.text("SBOMHash"),
        perm_device=fields.text("PermDev"),
        perm_used=fields.number("PermUsed"),
        perm_available=fields.number("PermAvail"),
        perm_total=fields.number("PermTotal"),
        perm_uuid=fields.text("PermUUID"),
        private_addresses=fields.texts("PrivateAddrs"),
        public_addresses=fields.texts("PublicAddrs"),
        services=tuple(_service(one) for one in fields.objects("Services")),
        supervising=isinstance(fields.data.get("Services"), list),
        eeprom=_eeprom(_Fields(eeprom, where, "EEPROM.")) if eeprom is not None else None,
        mounts=tuple(
            MountStatus(one.text("Dev"), one.number("Used"), one.number("Avail"), one.number("Total"))
            for one in fields.objects("MountDevices")
        ),
        memory={str(key): value for key, value in memory.items() if isinstance(value, int)},
        raw=fields.data,
    )


def parse_service(text: str, where: str) -> ServiceStatus:
    """One service's JSON; raises RequestRefused where it is something else."""
    return _service(_Fields(_json(text, where), where))


@dataclass(frozen=True)
class Features:
    """What a device's update handlers can do."""

    names: frozenset[str]
    """Such as partuuid, updatehash, gpt."""
    eeprom: Eeprom | None = None

    def __contains__(self, name: str) -> bool:
        return name in self.names


def parse_features(text: str, where: str) -> Features:
    """The answer of /update/features: JSON, or a list with commas from versions before that."""
    if not text.lstrip().startswith("{"):
        return Features(frozenset(name.strip() for name in text.split(",") if name.strip()))
    fields = _Fields(_json(text, where), where)
    eeprom = fields.data.get("EEPROM")
    return Features(
        frozenset(name.strip() for name in fields.text("features").split(",") if name.strip()),
        _eeprom(_Fields(eeprom, where, "EEPROM.")) if eeprom is not None else None,
    )


def _service(fields: _Fields) -> ServiceStatus:
    return ServiceStatus(
        path=fields.required_text("Path"),
        args=fields.texts("Args"),
        pid=fields.number("Pid"),
        started=_time(fields.text("StartTime"), fields),
        stopped=fields.flag("Stopped"),
        diverted=fields.text("Diverted"),
    )


def _eeprom(fields: _Fields) -> Eeprom:
    return Eeprom(fields.text("PieepromSHA256"), fields.text("VL805SHA256"), fields.text("FirmwareDate"))


def _time(text: str, fields: _Fields) -> datetime | None:
    """Go writes its zero time as year 1: not started yet."""
    if not text or text.startswith("0001-"):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _nonsense(f"{fields.inside}StartTime is {text!r}, not a time", fields.where) from None


def _json(text: str, where: str) -> object:
    try:
        data: object = json.loads(text)
    except ValueError as error:
        raise _nonsense(f"it is not JSON ({error})", where, text) from None
    return data


def _nonsense(what: str, where: str, evidence: str = "") -> RequestRefused:
    return RequestRefused(
        f"the device's answer makes no sense: {what}",
        status=200,
        where=where,
        hint="is this a gokrazy device, and the right port?",
        evidence=evidence.strip()[:300],
    )


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)

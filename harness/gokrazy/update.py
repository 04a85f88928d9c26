"""Updating a device over HTTP, file by file or as ``gok update`` does."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from harness.errors import DeviceUnreachable, ImageError, OptionError, RequestRefused, UpdateMismatch
from harness.gokrazy.client import Device
from harness.gokrazy.status import Features
from harness.gokrazy.transport import CONNECT, NoAnswer, Trouble, excerpt

HashName: TypeAlias = Literal["crc32", "sha256"]
Payload: TypeAlias = Path | bytes
Mangle: TypeAlias = Callable[[Iterator[bytes]], Iterator[bytes]]
Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the endpoint, the bytes that have gone, and the bytes in all."""

CHUNK = 64 << 10
MBR_LENGTH = 446
"""Bytes: the device writes whatever it gets to the start of its disk, and the partition table follows here."""


@dataclass(frozen=True)
class Upload:
    """One file that arrived as it was sent."""

    endpoint: str
    size: int
    seconds: float
    hash: HashName
    digest: str

    @property
    def rate(self) -> float:
        """Bytes a second, the device's writing and hashing included."""
        return self.size / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        return (
            f"{self.endpoint}: {self.size} bytes in {self.seconds:.1f} s ({self.rate / 1e6:.1f} MB/s, {self.hash})"
        )


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


class _Body:
    """What requests sends: has a length, so that the device notices a truncated upload, and counts what went."""

    def __init__(self, chunks: Iterator[bytes], size: int, sent: Callable[[int], None]) -> None:
        self._chunks = chunks
        self._size = size
        self._report = sent
        self.sent = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            chunk = chunk[: self._size - self.sent]
            if chunk:
                yield chunk
                self.sent += len(chunk)
                self._report(self.sent)
        if self.sent < self._size:
            # The rest will never come. This ends the connection, which is how the device gets to know.
            raise ConnectionResetError


class Updater:
    """The update handlers of one device.

    ``stall`` limits, in seconds, each wait for the device to take more bytes or to answer after the last one.
    ``mangle`` is for fault tests: it sees the bytes on their way and may change or end them. The digest that the
    device must report remains that of the undamaged file.
    """

    def __init__(
        self,
        device: Device,
        *,
        hash: HashName | None = None,  # noqa: A002  the header's own word
        progress: Progress | None = None,
        stall: float = 120.0,
        mangle: Mangle | None = None,
    ) -> None:
        if hash not in (None, "crc32", "sha256"):
            raise OptionError(f"the device knows no hash {hash!r}", hint="crc32 or sha256")
        self.device = device
        self._hash = hash
        self._progress = progress
        self._stall = stall
        self._mangle = mangle
        self._features: Features | None = None

    @property
    def features(self) -> Features:
        """What the device's handlers can do; asked once."""
        if self._features is None:
            self._features = self.device.features()
        return self._features

    @property
    def hash(self) -> HashName:
        """The hash in use: the one asked for, else CRC-32 where the device knows it (SHA-256 is slower there)."""
        return self._hash or ("crc32" if "updatehash" in self.features else "sha256")

    def put_root(self, payload: Payload) -> Upload:
        """Write the root file system into the slot that is not running."""
        return self._put("/update/root", payload)

    def put_boot(self, payload: Payload) -> Upload:
        """Write the boot file system, in place; it names slot A until ``switch``."""
        return self._put("/update/boot", payload)

    def put_boot_only(self, payload: Payload) -> Upload:
        """Write the boot file system and have it name the slot that is running now."""
        return self._put("/update/bootonly", payload)

    def put_mbr(self, payload: Payload) -> Upload:
        """Write the boot code before the partition table: exactly 446 bytes, as more would overwrite the table."""
        size = _size(payload)
        if size != MBR_LENGTH:
            raise ImageError(
                f"the boot code is {size} bytes long, not {MBR_LENGTH}",
                where=str(payload) if isinstance(payload, Path) else "",
                hint="give the first 446 bytes of the disk",
            )
        return self._put("/update/mbr", payload)

    def put_device_specific(self, name: str, payload: Payload) -> Upload:
        """Write one of the files that a device model keeps outside of partitions, such as a boot loader."""
        return self._put(f"/update/device-specific/{name}", payload)

    def switch(self) -> None:
        """Have the next boot take the slot that was not running when the device started."""
        self._post("/update/switch")

    def testboot(self) -> None:
        """Have the next boot, and only that one, take the other slot."""
        self._post("/update/testboot")

    def update(
        self,
        *,
        root: Payload,
        boot: Payload,
        mbr: Payload | None = None,
        device_specific: Mapping[str, Payload] | None = None,
        testboot: bool = False,
    ) -> list[Upload]:
        """Everything in gok's order: root, device-specific files, boot, MBR, switch; the caller then reboots."""
        uploads = [self.put_root(root)]
        uploads += [self.put_device_specific(name, one) for name, one in (device_specific or {}).items()]
        uploads.append(self.put_boot(boot))
        if mbr is not None:
            uploads.append(self.put_mbr(mbr))
        if testboot:
            self.testboot()
        else:
            self.switch()
        return uploads

    def _post(self, path: str) -> None:
        self.device.endpoint.request("POST", path, timeout=(CONNECT, self._stall))

    def _put(self, path: str, payload: Payload) -> Upload:
        size = _size(payload)
        if size == 0:
            raise ImageError(
                f"nothing to send to {path}: the file is empty",
                where=str(payload) if isinstance(payload, Path) else "",
            )
        algorithm = self.hash
        digest: _Digest = _Crc32() if algorithm == "crc32" else hashlib.sha256()
        source = _hashed(_chunks(payload), digest)
        body = _Body(
            self._mangle(source) if self._mangle else source,
            size,
            lambda sent: self._progress(path, sent, size) if self._progress else None,
        )
        endpoint = self.device.endpoint
        start = time.monotonic()
        answer = endpoint.try_request(
            "PUT",
            path,
            data=body,
            headers={"X-Gokrazy-Update-Hash": algorithm, "Content-Type": "application/octet-stream"},
            timeout=self._stall,
        )
        seconds = time.monotonic() - start
        if isinstance(answer, NoAnswer):
            endpoint.raise_cause()
            raise self._lost(path, answer, body.sent, size)
        if answer.status != 200:
            raise endpoint.refused(answer)
        for _ in source:  # what mangle did not take still counts for the digest of the undamaged file
            pass
        self._compare(path, algorithm, digest.hexdigest(), answer.text.strip().lower())
        return Upload(path, size, seconds, algorithm, digest.hexdigest())

    def _lost(self, path: str, trouble: NoAnswer, sent: int, size: int) -> DeviceUnreachable:
        if sent < size or trouble.kind is not Trouble.SILENT:
            what = f"the upload to {path} broke off after {sent} of {size} bytes: {trouble}"
        else:
            what = f"all {size} bytes went to {path}, but the device did not confirm them in {self._stall:g} s"
        return DeviceUnreachable(
            what,
            where=self.device.url,
            hint="what it wrote so far is on its disk; nothing was switched",
            overdue=trouble.kind is Trouble.SILENT,
        )

    def _compare(self, path: str, algorithm: HashName, sent: str, got: str) -> None:
        if got == sent:
            return
        if got.startswith("<!doctype"):  # versions without the handler answer with their front page
            raise RequestRefused(f"the device has no {path}", status=200, where=self.device.url)
        if len(got) != len(sent) or any(char not in "0123456789abcdef" for char in got):
            raise UpdateMismatch(
                f"{path} answered something else than a {algorithm} digest",
                where=self.device.url,
                evidence=excerpt(got) or "(nothing)",
                hint="a device without the feature updatehash always answers SHA-256: use hash='sha256'",
            )
        raise UpdateMismatch(
            f"{path} received other bytes than were sent: {algorithm} {got} arrived, {sent} was sent",
            where=self.device.url,
            hint="they are already written to the device: send the file again before switching",
        )


def _size(payload: Payload) -> int:
    if isinstance(payload, bytes):
        return len(payload)
    try:
        return payload.stat().st_size
    except OSError as error:
        raise ImageError(f"cannot read the update file: {error.strerror}", where=str(payload)) from None


def _chunks(payload: Payload) -> Iterator[bytes]:
    if isinstance(payload, bytes):
        for start in range(0, len(payload), CHUNK):
            yield payload[start : start + CHUNK]
        return
    with payload.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _hashed(chunks: Iterator[bytes], digest: _Digest) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk

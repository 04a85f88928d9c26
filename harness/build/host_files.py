"""Files of the build host that go into an image: its CA certificates, and a time zone where one is asked for."""

from __future__ import annotations

from pathlib import Path

from harness.errors import OptionError

_CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# Etc/UTC as zoneinfo's compiler writes it, version 2: so no file of the build host is needed.
_UTC = (
    b"TZif2" + bytes(15) + bytes(4) * 3 + b"\0\0\0\0\0\0\0\1\0\0\0\4" + bytes(6) + b"UTC\0"
    b"TZif2" + bytes(15) + bytes(4) * 3 + b"\0\0\0\0\0\0\0\1\0\0\0\4" + bytes(6) + b"UTC\0\nUTC0\n"
)


def ca_bundle_of(path: Path | None) -> bytes:
    """The CA certificates for an image: those of this file, else this machine's; raises OptionError."""
    if path is not None:
        return _read(path)
    for name in _CA_BUNDLES:
        if Path(name).is_file():
            return Path(name).read_bytes()
    raise OptionError(
        "this machine has no bundle of CA certificates to put into the image",
        hint="apt-get install ca-certificates, or name a file",
    )


def localtime_of(path: Path | None) -> bytes:
    """The time zone for an image: that of this zoneinfo file, else UTC; raises OptionError.

    gok takes the build host's; here it would make two machines' images differ.
    """
    return _UTC if path is None else _read(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OptionError(f"the file cannot be read: {error.strerror}", where=str(path)) from error

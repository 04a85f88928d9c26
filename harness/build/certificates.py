"""The TLS certificate of the web interface: found, or made, where gokrazy's packer would."""

from __future__ import annotations

import datetime
import os
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from harness.build.config import Config
from harness.errors import ConfigError


@dataclass(frozen=True)
class Certificate:
    """A certificate and its private key, as PEM without blanks around it."""

    cert: str = field(repr=False)
    key: str = field(repr=False)


def certificate_for(config: Config, *, folder: Path, host_folder: Path, notes: list[str]) -> Certificate | None:
    """The certificate of an instance, or None when it serves plain HTTP; raises ConfigError.

    ``host_folder`` is the host's folder in the user's gokrazy configuration, where a self-signed certificate is
    kept, and made when UseTLS asks for one. A pair that does not belong together keeps a device from booting
    (issue 130 of gokrazy), so it is refused. CertPEM and KeyPEM do not count: gok never looks at them.
    """
    update = config.update
    where = config.where("$.Update.UseTLS")
    cert, key = host_folder / "cert.pem", host_folder / "key.pem"
    if update.use_tls == "off":
        return None
    if update.use_tls == "":
        if not (cert.exists() and key.exists()):
            return None
        where = str(cert)
    elif update.use_tls == "self-signed":
        if not (cert.exists() and key.exists()):
            _make(config.hostname, cert, key)
            notes.append(f"a new self-signed certificate was made, as gok does: {cert}")
    else:
        names = [name.strip() for name in update.use_tls.split(",")]
        cert, key = (folder / name for name in names)
    try:
        return _checked(cert.read_text("utf-8"), key.read_text("utf-8"), where)
    except OSError as error:
        raise ConfigError(
            f"the TLS file cannot be read: {error.filename}: {error.strerror}",
            where=where,
            hint="UseTLS takes: off, self-signed, or CERTIFICATE,KEY (paths from the instance's folder)",
        ) from error


def _checked(cert: str, key: str, where: str) -> Certificate:
    with tempfile.NamedTemporaryFile("w") as cert_file, tempfile.NamedTemporaryFile("w") as key_file:
        cert_file.write(cert)
        cert_file.flush()
        key_file.write(key)
        key_file.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                cert_file.name, key_file.name, password=lambda: b""
            )
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or "not readable as PEM"
            raise ConfigError(
                f"TLS certificate and key cannot be used together: {reason}",
                where=where,
                hint="a device with such a pair does not boot; delete both to have a new pair made",
            ) from error
    return Certificate(cert.strip(), key.strip())


def _make(hostname: str, cert_path: Path, key_path: Path) -> None:
    """Make a pair as gok does: RSA 4096, two years, the host name as its only DNS name."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "gokrazy")])
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=2 * 365))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_path.parent.mkdir(parents=True, exist_ok=True)
    _write(cert_path, cert.public_bytes(serialization.Encoding.PEM), 0o644)
    _write(
        key_path,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        0o600,
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)

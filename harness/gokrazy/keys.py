"""SSH keys: one made for the run, or one that the user has."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from harness.errors import OptionError


@dataclass(frozen=True)
class KeyPair:
    """A key pair on disk; the private half is readable by its owner only."""

    private: Path
    public: Path
    public_line: str
    """As it goes into an authorized_keys file, without the line's end."""

    def load(self) -> paramiko.PKey:
        """The private key."""
        return load_key(self.private)


def generate_key(folder: Path, *, name: str = "id_ed25519", comment: str = "gokharness") -> KeyPair:
    """Make an ed25519 pair in ``folder``; an existing file of that name is not overwritten (FileExistsError)."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / name, folder / f"{name}.pub"
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + f" {comment}"
    folder.mkdir(parents=True, exist_ok=True)
    # Created with its final mode: there is no moment at which others could read it.
    descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public.write_text(line + "\n")
    return KeyPair(private, public, line)


def load_key(path: Path) -> paramiko.PKey:
    """The private key in that file; raises OptionError, which never quotes the file."""
    try:
        return paramiko.PKey.from_path(path)
    except OSError as error:
        what = f"cannot read the SSH key: {error.strerror or 'no such file'}"
    except (paramiko.PasswordRequiredException, TypeError):
        what = "the SSH key is protected by a passphrase"
    except Exception:
        # paramiko and cryptography raise a dozen types for files that are no keys; their texts may quote them.
        what = "the file is not an SSH private key that can be used"
    raise OptionError(what, where=str(path), hint="ssh-keygen -t ed25519 -N '' -f FILE makes one")


def public_line(path: Path) -> str:
    """The public half of the private key in that file, as an authorized_keys file has it; raises OptionError."""
    key = load_key(path)
    return f"{key.get_name()} {key.get_base64()}"

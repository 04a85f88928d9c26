"""A gokrazy instance: its folder, its config.json, and what the user's gokrazy configuration folder adds to it."""

from __future__ import annotations

import difflib
import os
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.build.certificates import Certificate, certificate_for
from harness.build.config import Config, is_port, read_config
from harness.build.ignored import ignored_fields
from harness.build.old_layout import with_old_layout
from harness.errors import ConfigError
from harness.image.arch import ARCHITECTURES, DEFAULT, Arch, known
from harness.image.arch import NAMES as ARCHES
from harness.image.model import formats_perm

_KERNEL_ARCH = {
    **{kernel: row.name for row in ARCHITECTURES for kernel in row.kernels},
    "kernel-rpi-os-32": "arm",
}
"""The architecture that the name of a known kernel package stands for; of some, there is no board."""


@dataclass(frozen=True)
class Instance:
    """An instance with everything resolved that gokrazy's packer looks up outside of config.json."""

    folder: Path
    config: Config
    arch: Arch
    http_port: int = 80
    https_port: int = 443
    password: str | None = field(default=None, repr=False)
    """The web interface's password; None with NoPassword."""
    password_place: str = ""
    """Where a person finds it; "" with NoPassword."""
    certificate: Certificate | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    old_layout: bool = False
    """Whether config.json has no PackageConfig: files in the instance's folder count instead."""

    @property
    def formats_perm(self) -> bool:
        """Whether a package of the instance makes the file system on /perm itself."""
        return any(formats_perm(name) for name in self.config.packages)

    @property
    def is_raspberry(self) -> bool:
        """Whether the image is one for an SD card: those take a card of a power of two."""
        return bool(self.config.eeprom_package) or self.config.kernel_package.endswith(
            ("kernel.rpi", "gokrazy/kernel", "kernel-rpi-os-32")
        )


def find_instance(spec: str | Path, *, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of an instance: a path to it, or its name as gok knows it; raises ConfigError.

    Names are looked up under $GOKRAZY_PARENT_DIR, else ~/gokrazy, as gok does.
    """
    path = Path(spec).expanduser()
    if path.name == "config.json" and path.is_file():
        path = path.parent
    if (path / "config.json").is_file():
        return path.resolve()
    parent = parent_dir(environ)
    named = parent / str(spec)
    if len(Path(spec).parts) == 1 and (named / "config.json").is_file():
        return named.resolve()
    if path.is_dir():
        raise ConfigError(
            "this folder is no gokrazy instance: it has no config.json",
            where=str(path.resolve()),
            hint="name the folder that gok made (gok new), or a finished image",
        )
    names = sorted(entry.parent.name for entry in parent.glob("*/config.json"))
    close = difflib.get_close_matches(str(spec), names, n=1)
    raise ConfigError(
        f"there is no gokrazy instance {str(spec)!r}",
        where=f"looked at {path.absolute()}" + (f" and {named}" if len(Path(spec).parts) == 1 else ""),
        hint=f"did you mean {close[0]}?" if close else "name a folder that has a config.json",
        evidence=f"instances there: {', '.join(names)}" if names else "",
    )


def parent_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where gok keeps instances."""
    if given := environ.get("GOKRAZY_PARENT_DIR"):
        return Path(given)
    return Path(environ.get("HOME") or Path.home()) / "gokrazy"


def user_config_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """gokrazy's folder in the user's configuration folder (os.UserConfigDir of Go)."""
    if given := environ.get("XDG_CONFIG_HOME"):
        if not Path(given).is_absolute():
            raise ConfigError(f"XDG_CONFIG_HOME is a relative path: {given}", hint="set an absolute one")
        return Path(given) / "gokrazy"
    return Path(environ.get("HOME") or Path.home()) / ".config" / "gokrazy"


def load_instance(spec: str | Path, *, environ: Mapping[str, str] = os.environ) -> Instance:
    """Read an instance; raises ConfigError.

    As gokrazy's packer does, this makes a password or a self-signed certificate in the user's configuration
    folder when the instance asks for one that is not there yet. The instance's folder is only read.
    """
    folder = find_instance(spec, environ=environ)
    config = read_config(folder / "config.json")
    arch = _arch(config, environ)
    _check_kernel_name(config, arch)
    notes = [*config.warnings, *ignored_fields(config)]
    old_layout = not config.package_config
    config = with_old_layout(config, folder, notes)
    hosts = _HostFiles(user_config_dir(environ), config.hostname)
    update = config.update
    http = update.http_port or hosts.read("http-port.txt") or ""
    # Not a slip: with HTTPPort alone, gokrazy uses it for HTTPS as well (internal/config).
    https = update.https_port or http or "443"
    http = http or "80"
    if not (is_port(http) and is_port(https)):
        raise ConfigError(
            "http-port.txt holds no port number", where=f"{hosts.folder} or {hosts.fallback}", hint="write one"
        )
    password = None if update.no_password else update.http_password or hosts.read("http-password.txt")
    place = ""
    if not update.no_password:
        in_config = f"HTTPPassword in {folder / 'config.json'}"
        place = in_config if update.http_password else str(hosts.path("http-password.txt"))
    if password is None and not update.no_password:
        password = hosts.new_password()
        notes.append(f"a new password was made, as gok does: {hosts.fallback / 'http-password.txt'}")
    if password == "":
        raise ConfigError(
            "http-password.txt is empty", where=f"{hosts.folder} or {hosts.fallback}", hint="write a password"
        )
    return Instance(
        folder=folder,
        config=config,
        arch=arch,
        http_port=int(http),
        https_port=int(https),
        password=password,
        password_place=place,
        certificate=certificate_for(config, folder=folder, host_folder=hosts.folder, notes=notes),
        notes=tuple(notes),
        old_layout=old_layout,
    )


class _HostFiles:
    """gokrazy's per-host files, with its fallback to files for all hosts."""

    def __init__(self, gokrazy: Path, hostname: str) -> None:
        self.folder = gokrazy / "hosts" / hostname
        self.fallback = gokrazy

    def read(self, name: str) -> str | None:
        for folder in (self.folder, self.fallback):
            try:
                return (folder / name).read_text(encoding="utf-8").strip()
            except OSError:
                continue
        return None

    def path(self, name: str) -> Path:
        """Where this file is, or where it would be made."""
        return next(
            (one for one in (self.folder / name, self.fallback / name) if one.is_file()), self.fallback / name
        )

    def new_password(self) -> str:
        letters = string.ascii_letters + string.digits
        password = "".join(secrets.choice(letters) for _ in range(20))
        self.fallback.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.fallback / "http-password.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(password)
        return password


def _arch(config: Config, environ: Mapping[str, str]) -> Arch:
    env = config.env
    if env.get("GOOS", "linux") != "linux":
        raise ConfigError(f"GOOS is {env['GOOS']!r}, and gokrazy is Linux", where=config.where("$.Environment"))
    named = env.get("GOARCH") or environ.get("GOARCH") or DEFAULT
    arch = known(named)
    if arch is None:
        raise ConfigError(
            f"there is no board for GOARCH {named!r}",
            where=_arch_source(config),
            hint=f"architectures with boards: {', '.join(ARCHES)}",
        )
    return arch


def _arch_source(config: Config) -> str:
    for number, entry in enumerate(config.environment):
        if entry.startswith("GOARCH="):
            return config.where(f"$.Environment[{number}]")
    return f"{config.file} ($.Environment has no GOARCH: $GOARCH of this shell counts, else {DEFAULT})"


def _check_kernel_name(config: Config, arch: Arch) -> None:
    for name, kernel_arch in _KERNEL_ARCH.items():
        if config.kernel_package == name or config.kernel_package.endswith(f"/{name}"):
            if kernel_arch != arch:
                raise wrong_kernel(config, arch, kernel_arch)
            return


def wrong_kernel(config: Config, arch: Arch, kernel_arch: str) -> ConfigError:
    """The error for a kernel that cannot run the programs of the instance."""
    return ConfigError(
        f"the programs are built for {arch}, and the kernel {config.kernel_package} is one for {kernel_arch}",
        where=f"{config.where('$.KernelPackage')}; {_arch_source(config)}",
        hint="set GOARCH in Environment and KernelPackage to the same architecture",
    )

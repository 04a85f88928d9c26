"""Fetches systemd-boot, the UEFI boot loader that goes into an image, where the build finds none.

Debian's systemd-boot-efi carries the loader of its own architecture only. The other architecture's package is
downloaded by apt with state, sources and cache of its own, and unpacked without being installed: the host's apt
does not learn of a foreign architecture. No privileges are needed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.build.bootfs import find_efi_loaders
from harness.errors import HostFault, SetupMissing
from harness.host import debian
from harness.host.host import Host, system
from harness.image.arch import NAMES, Arch, architecture_of, known
from harness.store.root import default_root

PACKAGE = "systemd-boot-efi"
INSTALLED = Path("/usr/lib/systemd/boot/efi")
"""Where the package puts its loader."""


def file_name(arch: Arch) -> str:
    """What systemd calls the loader of this architecture (amd64, arm64)."""
    return architecture_of(arch).systemd_boot


def private_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Where loaders are kept that the host has no package for."""
    return default_root(env) / "systemd-boot"


def find(arch: str, env: Mapping[str, str] = os.environ) -> Path | None:
    """The loader that goes into images of this architecture, None when the build would find none."""
    return next((loader.file for loader in find_efi_loaders(env) if loader.arch == arch), None)


def fetch(arch: Arch, folder: Path, host: Host | None = None) -> Path:
    """Download the loader of this architecture into the folder; raises SetupMissing or HostFault."""
    host = host or Host()
    running = system(host)
    source = debian.for_suite(debian.read_sources(host), running.codename) if running.id == "debian" else None
    if source is None:
        raise SetupMissing(
            f"systemd-boot for {arch} can be fetched on Debian only, from the mirror in its apt sources",
            where=running.pretty,
            hint=f"put {file_name(arch)} into {folder}, or name its folder in GOKHARNESS_EFI_DIR",
        )
    with tempfile.TemporaryDirectory(prefix="gokharness-apt-") as scratch:
        work = Path(scratch)
        configuration = prepare(work, arch, source)
        run(["apt-get", "-q", "update"], work, configuration)
        run(["apt-get", "-q", "download", PACKAGE], work, configuration)
        packages = sorted(work.glob("*.deb"))
        if not packages:
            raise HostFault(f"apt downloaded no {PACKAGE} for {arch}", where=" ".join(source.uris))
        run(["dpkg-deb", "-x", str(packages[0]), str(work / "tree")], work, configuration)
        loader = work / "tree" / INSTALLED.relative_to("/") / file_name(arch)
        if not loader.is_file():
            raise HostFault(f"{packages[0].name} has no {file_name(arch)}")
        return put(loader, folder, packages[0].name.split("_")[1].replace("%3a", ":"))


def prepare(work: Path, arch: str, source: debian.Source) -> Path:
    """Lay out an apt of its own in the folder; returns its configuration file."""
    for name in ("state/lists/partial", "cache/archives/partial", "parts", "tree"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    (work / "debian.sources").write_text(source.stanza())
    shutil.copy(work / "debian.sources", work / "parts")
    configuration = work / "apt.conf"
    configuration.write_text(
        f"""\
APT::Architecture "{arch}";
#clear APT::Architectures;
APT::Architectures {{ "{arch}"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::State "{work}/state";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{work}/parts";
"""
    )
    return configuration


def run(command: list[str], work: Path, configuration: Path) -> None:
    """Run one step in the folder; raises HostFault with what it said."""
    try:
        done = subprocess.run(
            command,
            cwd=work,
            env={**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
    except FileNotFoundError:
        raise SetupMissing(f"{command[0]} is not on PATH", hint="this works on Debian only") from None
    except subprocess.TimeoutExpired:
        raise HostFault(f"{' '.join(command[:3])} took longer than 300 s") from None
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip().splitlines()
        raise HostFault(f"{' '.join(command[:3])} failed", evidence="\n".join(said[-6:]))


def put(loader: Path, folder: Path, version: str) -> Path:
    """Place the loader and its package version in the folder, each in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / loader.name
    for target, content in (
        (place, loader.read_bytes()),
        (place.with_suffix(".version"), f"{version}\n".encode()),
    ):
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".new-", delete=False) as new:
            new.write(content)
        Path(new.name).chmod(0o644)
        Path(new.name).replace(target)
    return place


def _arch(name: str) -> Arch:
    if (arch := known(name)) is None:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(NAMES)}")
    return arch


def main(arguments: Sequence[str] | None = None) -> int:
    """Find or fetch the loader of each architecture named, or of all; exit status 11 or 12 when there is none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "arch", nargs="*", type=_arch, metavar="ARCH", help=f"{', '.join(NAMES)}; all of them if left out"
    )
    parser.add_argument("--here", action="store_true", help="do not fetch: fail when it is not on this host")
    asked = parser.parse_args(arguments)
    for arch in asked.arch or NAMES:
        found = find(arch)
        if found is None and asked.here:
            print(f"no systemd-boot for {arch} on this host", file=sys.stderr)
            return 12
        try:
            print(found or fetch(arch, private_folder()))
        except (HostFault, SetupMissing) as error:
            print(error, file=sys.stderr)
            return error.fault.value
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A program in the place of gok, as strict as the real one: ``python -m harness.tests.build.gok_stand_in``.

Command line, errors, builddir and the order of the steps follow github.com/gokrazy/tools (overwrite.go, packer.go,
gotool.go). The bytes of the image are the own packer's, with this program's boot sector and an unformatted /perm.
With GOK_STAND_IN=small it packs a small synthetic image instead, and gets no packages.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from harness.build import build as own
from harness.build.cache import Cache
from harness.build.gomod import parse_gomod
from harness.build.instance import load_instance
from harness.build.request import BuildRequest
from harness.errors import HarnessError
from harness.image.copying import copy_sparse
from harness.image.disk import BOOT_CODE_BYTES, BOOT_FIRST, SMALLEST_DISK
from harness.image.fat_volume import FatVolume
from harness.image.layout import read_layout
from harness.store.root import default_root
from harness.tests.image import synthetic

VERSION = "github.com/gokrazy/tools v0.0.0-stand-in"
INTERNAL = "github.com/gokrazy/internal@v0.0.0-20251208203110-3c1aa9087c82"
"""Whose boot sector this program carries in itself, whatever the instance asks for."""
DEVICES = {"odroidhc1": BOOT_FIRST, "nanopi_neo": 2048, "qemumbrtesting": BOOT_FIRST, "rock64": 32768}
"""Device types, and the sector that their first partition begins with."""
VERBS = ("new", "add", "edit", "get", "overwrite", "update", "run", "logs", "ps", "sbom", "push", "vm", "version")
FLAGS = {
    "overwrite": ("full", "gaf", "boot", "root", "mbr", "sudo", "target_storage_bytes", "trace_file"),
    "version": (),
}
INSTANCE_FLAGS = ("instance", "parent_dir")


@dataclass(frozen=True)
class Line:
    """A command line taken apart as cobra does it: flags may stand before and behind the verb."""

    verb: str
    flags: dict[str, str]
    positional: list[str]


def main() -> int:
    """What the shell calls."""
    line = parse(sys.argv[1:])
    if line.verb == "version":
        print(VERSION)
        return 0
    if line.verb != "overwrite":
        fail(f"the stand-in does not implement gok {line.verb}")
    if line.positional:
        print("positional arguments are not supported\n\nUsage:\n  gok overwrite [flags]", file=sys.stderr)
        return 0
    overwrite(line.flags)
    return 0


def fail(text: str) -> NoReturn:
    """End as gok does when something is wrong."""
    print(text, file=sys.stderr)
    raise SystemExit(1)


def parse(arguments: Sequence[str]) -> Line:
    """Take the command line apart; ends the program as pflag does where it is wrong."""
    left, flags, words = list(arguments), dict[str, str](), list[str]()
    while left:
        word = left.pop(0)
        if word == "--":
            words += left
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, given, value = word.partition("=")
        if not word.startswith("--"):
            if not word.startswith("-i"):
                fail(f"unknown shorthand flag: {word[1]!r} in {word}")
            name, given, value = "--instance", word[2:], word[2:].removeprefix("=")
        if not given:
            if not left:
                fail(f"flag needs an argument: {word}")
            value = left.pop(0)
        flags[name.removeprefix("--")] = value
    verb = words[0] if words else ""
    if verb not in VERBS:
        fail(f'unknown command "{verb}" for "gok"')
    for name in flags:
        if name not in (*FLAGS.get(verb, ()), *INSTANCE_FLAGS):
            fail(f"unknown flag: --{name}")
    return Line(verb, flags, words[1:])


def overwrite(flags: dict[str, str]) -> None:
    """What ``gok overwrite`` does, step by step and in its order."""
    size_text = flags.get("target_storage_bytes", "0")
    if not size_text.removeprefix("-").isdecimal():
        fail(f'invalid argument "{size_text}" for "--target_storage_bytes" flag: strconv.ParseInt: invalid syntax')
    parent = flags.get("parent_dir") or os.environ.get("GOKRAZY_PARENT_DIR") or str(Path.home() / "gokrazy")
    name = flags.get("instance") or os.environ.get("GOKRAZY_INSTANCE") or "hello"
    folder = Path(parent) / name
    config = read_config(folder / "config.json")
    if flags.get("full") and flags.get("gaf"):
        fail("cannot specify both --full and --gaf")
    full = Path(flags["full"]).absolute() if flags.get("full") else None
    os.chdir(folder)
    if config.get("DeviceType") and config["DeviceType"] not in DEVICES:
        error(f'unknown device slug "{config["DeviceType"]}"')
    stamp = datetime.datetime.now().astimezone().isoformat(timespec="seconds").replace("+00:00", "Z")
    print(f"Build timestamp: {stamp}", flush=True)
    get_packages(config)
    if overwritten := (config.get("InternalCompatibilityFlags") or {}).get("OverwriteInit"):
        Path(overwritten).write_text("package main\n")
        return
    if full is None:
        error("the stand-in writes whole disks only")
    size = int(size_text)
    # Not a slip: gok adds sectors to bytes.
    lower = 1200 * 1024 * 1024 + DEVICES.get(config.get("DeviceType", ""), BOOT_FIRST)
    if size == 0:
        size = (config.get("InternalCompatibilityFlags") or {}).get("TargetStorageBytes", 0)
    if size == 0:
        error(
            f"--target_storage_bytes is required (e.g. --target_storage_bytes={lower}) "
            "when using overwrite with a file"
        )
    if size % 512:
        error(f"--target_storage_bytes must be a multiple of 512 (sector size), use e.g. {lower}")
    if size < lower:
        error(f"--target_storage_bytes must be at least {lower} (for boot + 2 root file systems + 100 MB /perm)")
    pack(folder, full, size, stamp)
    print(f"To boot gokrazy, copy {full} to an SD card and plug it into a supported device")


def error(text: str) -> NoReturn:
    """End as the packer inside of gok does."""
    fail(f"ERROR:\n  {text}")


def read_config(file: Path) -> dict[str, Any]:
    """Read config.json as gok does: unknown fields are nothing to it."""
    try:
        config = json.loads(file.read_bytes())
    except FileNotFoundError:
        fail(f"open {file}: no such file or directory")
    except ValueError as problem:
        fail(f"decoding {file}: {problem}")
    for entry in config.get("Environment") or ():
        if "=" not in entry:
            fail(f'malformed Environment entry "{entry}", expected key=value')
        os.environ.update([entry.split("=", 1)])
    return dict(config)


def get_packages(config: dict[str, Any]) -> None:
    """Make a builddir for each package that has none, and get what is missing there."""
    packages = [config.get("KernelPackage") or "github.com/gokrazy/kernel.rpi"]
    defaults = (
        ("FirmwarePackage", "github.com/gokrazy/firmware"),
        ("EEPROMPackage", "github.com/gokrazy/rpi-eeprom"),
    )
    packages += [config.get(field, default) for field, default in defaults]
    system = [f"github.com/gokrazy/gokrazy/cmd/{name}" for name in ("dhcp", "ntp", "randomd", "heartbeat")]
    packages += config.get("GokrazyPackages", system)
    packages += [*config.get("Packages", ()), "github.com/gokrazy/gokrazy"]
    for package in filter(None, packages):
        folder = build_dir(package)
        if os.environ.get("GOK_STAND_IN") == "small":
            continue
        told = go(
            "list",
            "-mod=mod",
            "-e",
            "-f",
            "{{.ImportPath}} {{if .Incomplete}}error{{else}}ok{{end}}",
            package,
            folder=folder,
        )
        lines = told.stdout.split("\n") if told.returncode == 0 else []
        incomplete = [line.removesuffix(" error") for line in lines if line.endswith(" error")]
        if told.returncode or not told.stdout.strip():
            incomplete = [package]
        if incomplete:
            print(f"getting incomplete packages {incomplete}", flush=True)
            if go("get", *incomplete, folder=folder).returncode:
                error(f"[go get {' '.join(incomplete)}]: exit status 1")


def go(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Go in a folder, its errors on this program's own stderr."""
    beside = Path(sys.executable).parent
    found = shutil.which("go", path=f"{os.environ.get('PATH', '')}:{beside}")
    if found is None:
        error('exec: "go": executable file not found in $PATH')
    env = {
        **os.environ,
        "GOARCH": os.environ.get("GOARCH", "arm64"),
        "GOOS": "linux",
        "PWD": str(folder.absolute()),
    }
    return subprocess.run([found, *arguments], cwd=folder, env=env, stdout=subprocess.PIPE, text=True, check=False)


def build_dir(package: str) -> Path:
    """The nearest go.mod from builddir/PACKAGE upwards, or a new one there from the instance's own as template."""
    folder = Path("builddir") / package.removesuffix("/...")
    for place in (folder, *folder.parents[:-1]):
        if (place / "go.mod").exists():
            return place
    folder.mkdir(parents=True, exist_ok=True)
    here = Path.cwd()
    module = f"module gokrazy/build/{here.name}\n"
    template = Path("go.mod").read_text() if Path("go.mod").exists() else module
    parsed = parse_gomod(template, "go.mod")
    lines = template.splitlines()
    for replace in parsed.replaces:
        if replace.is_local and not replace.new.startswith("/"):
            lines[replace.line] = lines[replace.line].replace(replace.new, str((here / replace.new).resolve()))
    lines = [module.rstrip() if line.startswith("module ") else line for line in lines]
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    (folder / "go.sum").write_text(Path("go.sum").read_text() if Path("go.sum").exists() else "")
    return folder


def pack(folder: Path, full: Path, size: int, stamp: str) -> None:
    """Write the disk."""
    if os.environ.get("GOK_STAND_IN") == "small":
        synthetic.STAMP = stamp
        with tempfile.TemporaryDirectory() as work:
            synthetic.write_image(full, Path(work), size=max(size, SMALLEST_DISK), perm="blank")
        return
    request = BuildRequest(folder, builder="own", timestamp=stamp, perm="blank", size=size)
    with Cache(default_root().with_name("gok-stand-in")) as cache:
        try:
            image = own.build(request, cache=cache, progress=lambda line: print(line, flush=True))
        except HarnessError as problem:
            error(f"{problem.what}: {problem.where}")
        full.unlink(missing_ok=True)
        copy_sparse(image.path, full)
        full.chmod(0o644)
    cache.prune(1)
    if load_instance(folder).arch == "amd64":
        write_boot_sector(full)


def write_boot_sector(disk: Path) -> None:
    """Put this program's own boot sector in front, as gok does."""
    told = go("mod", "download", "-json", INTERNAL, folder=Path())
    code = (Path(json.loads(told.stdout)["Dir"]) / "mbr" / "bootloader.img").read_bytes()
    boot = read_layout(disk).boot
    volume = FatVolume.open(disk, offset=boot.offset, size=boot.size)
    sectors = [(boot.offset + volume.extent(name).offset) // 512 for name in ("vmlinuz", "cmdline.txt")]
    with disk.open("r+b") as file:
        file.write(code[:BOOT_CODE_BYTES] + struct.pack("<II", *sectors))


if __name__ == "__main__":
    raise SystemExit(main())

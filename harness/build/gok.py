"""Building with the user's own ``gok``, gokrazy's real packer, from a copy of the instance."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.build import old_layout
from harness.build.breakglass_flags import with_flags
from harness.build.cache import Cache
from harness.build.config import Config
from harness.build.go import GoToolchain, Package
from harness.build.gomod import module_roots
from harness.build.inputs import content_key, folder_digest, gather_extras, parse_kernel
from harness.build.instance import Instance
from harness.build.instance_copy import copy_instance
from harness.build.programs import service_of
from harness.build.record import image_of, to_record
from harness.build.start_settings import StartSettings
from harness.errors import BuildFailed, HarnessError, ToolMissing
from harness.image.layout import read_layout
from harness.image.load import load_raw
from harness.image.model import Image, PermState
from harness.image.perm import format_perm
from harness.lifetime.leash import leashed

GET_GOK = "go install github.com/gokrazy/tools/cmd/gok@main"
_EVIDENCE_LINES = 20


def command(gok: Path, instance: Path, disk: Path, *, size: int) -> list[str]:
    """The command line that writes a whole disk image of the instance in this folder."""
    return [
        str(gok),
        "-i",
        instance.name,
        "--parent_dir",
        str(instance.parent),
        "overwrite",
        f"--full={disk}",
        f"--target_storage_bytes={size}",
    ]


def build_with_gok(
    instance: Instance,
    *,
    size: int,
    perm: PermState,
    after: Image | None,
    cache: Cache,
    progress: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> Image:
    """Have gok build the image; raises ToolMissing, BuildFailed, ConfigError.

    gok writes go.mod files into the instance that it builds: it gets a copy. Its images differ from build to build
    by their time; the cache keeps one for each state of the user's files. With ``after`` another one is built from
    the same files, later than that image: an update of it.
    """
    found = shutil.which("gok", path=environ.get("PATH"))
    if found is None:
        raise ToolMissing("gok is not on PATH", hint=f"{GET_GOK}, or have the own packer build (--gk-builder own)")
    go = GoToolchain.find(arch=instance.arch, build_env=instance.config.env, environ=environ)
    state = _state(instance, Path(found), go, environ)
    parts = ["gok", str(size), perm, state, *((after.build, after.digest) if after is not None else ())]

    def make(work: Path, disk: Path) -> Mapping[str, Any]:
        view = work / "view"
        copy = copy_instance(instance.folder, view)
        if after is not None:
            _let_a_second_pass(after.build)
        progress("building with gok")
        _run(command(Path(found), copy, disk, size=size), instance, view, environ)
        layout = read_layout(disk)
        notes = [f"packed by {_version(found, environ)}"]
        if perm == "ext4" and layout.perm is not None:
            format_perm(disk, layout.perm, seed=instance.config.hostname, mtime=0)
            notes.append("gok leaves /perm unformatted: it was given an ext4 afterwards")
        if unpinned := _unpinned(instance, copy):
            notes.append(
                f"no go.mod of the instance pins {', '.join(unpinned)}: gok took the latest version; "
                "keep the go.mod files that gok writes to have the same image again"
            )
        image = load_raw(
            disk, builder="gok", password=instance.password, instance=str(instance.folder), notes=notes
        )
        if after is not None and image.build == after.build:
            raise BuildFailed(f"gok gave two images the same build timestamp: {image.build}", where=found)
        return to_record(with_flags(_with_sources(dataclasses.replace(image, perm=perm), instance, go, copy)))

    key = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    entry = cache.get(key, make, progress=progress)
    return image_of(entry, instance)


def _state(instance: Instance, gok: Path, go: GoToolchain, environ: Mapping[str, str]) -> str:
    """One digest over the files that the user gives to gok; what gok itself would write is no part of it."""
    config = instance.config
    kernel, _ = parse_kernel(None, instance)
    roots = module_roots(instance.folder, _named(config))
    status = gok.stat()
    old = [instance.folder / name for name in old_layout.FOLDERS] if instance.old_layout else []
    return content_key(
        instance,
        roots=(),
        kernel=kernel,
        extras=gather_extras(instance),
        loaders=(),
        facts={
            "go.mod": [_text(instance.folder / name) for name in ("go.mod", "go.sum")],
            "builddir": folder_digest(instance.folder / "builddir"),
            "local": {
                f"{root.label} {name}": folder_digest(target)
                for root in roots
                for name, target in root.links.items()
            },
            "old layout": [folder_digest(folder) for folder in old],
            "gok": [str(gok), status.st_size, status.st_mtime_ns],
            "go": [go.version, environ.get("GOFLAGS", "")],
        },
    )


def _data_packages(config: Config) -> list[str]:
    """The packages that are no programs."""
    return [name for name in (config.kernel_package, config.firmware_package, config.eeprom_package) if name]


def _named(config: Config) -> list[str]:
    """All packages that config.json names, or means by naming none."""
    return [name for name in (*config.gokrazy_packages, *config.packages, *_data_packages(config)) if name]


def _unpinned(instance: Instance, copy: Path) -> list[str]:
    """The modules of named packages whose version gok chose, since no go.mod of the user's names them."""
    named = _named(instance.config)
    pinned, chosen = (
        {package: root.mod for root in module_roots(folder, named) for package in root.packages}
        for folder in (instance.folder, copy)
    )
    found: set[str] = set()
    for package in named:
        path = package.removesuffix("/...")
        modules = [name for name in chosen[package].requires if path == name or path.startswith(f"{name}/")]
        known = {*pinned[package].requires, *(replace.old for replace in pinned[package].replaces)}
        found.update({max(modules, key=len)} - known if modules else ())
    return sorted(found)


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="surrogateescape") if path.is_file() else ""


def _let_a_second_pass(build: str) -> None:
    """Wait until the clock has left the second in which an image was built: gok's timestamps are whole seconds."""
    try:
        moment = datetime.datetime.fromisoformat(build).timestamp()
    except ValueError:
        return
    time.sleep(min(max(0.0, moment + 1 - time.time()), 1.0))


def _run(arguments: Sequence[str], instance: Instance, view: Path, environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        leashed(arguments, environ),
        cwd=view,
        env={**environ, "GOARCH": instance.arch, "PWD": str(view)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    disk = next(Path(part.removeprefix("--full=")) for part in arguments if part.startswith("--full="))
    if done.returncode == 0 and disk.is_file():
        return
    lines = [line for line in done.stdout.replace(f"{view}/", "/").splitlines() if line.strip()]
    ended = f"gok ended with status {done.returncode}" if done.returncode else "gok wrote no image"
    raise BuildFailed(
        ended,
        where=str(instance.folder),
        hint="the lines below are gok's",
        evidence="\n".join(lines[-_EVIDENCE_LINES:]),
    )


def _version(gok: str, environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        leashed([gok, "version"], environ),
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    lines = done.stdout.strip().splitlines() if done.returncode == 0 else []
    return f"gok {lines[0].strip()}" if lines else gok


def _with_sources(image: Image, instance: Instance, go: GoToolchain, copy: Path) -> Image:
    """The image with what only its sources say: packages that are no program, and how services are started."""
    config = instance.config
    found: dict[str, Package] = {}
    notes = list(image.notes)
    try:
        for root in module_roots(copy, _data_packages(config)):
            if root.folder is not None:
                packages, _ = go.resolve(root, root.folder)
                found.update((package.path, package) for package in packages)
    except HarnessError as error:
        notes.append(f"the versions of kernel and firmware packages are not known: {error.what}")
    modules = {**image.modules, **{package.module: package.version for package in found.values()}}
    kernel = found.get(config.kernel_package)
    starts = StartSettings(config)
    return dataclasses.replace(
        image,
        modules=dict(sorted(modules.items())),
        notes=tuple(notes),
        services=tuple(
            service_of(service.path, service.package, starts.of(service.path)) if service.package else service
            for service in image.services
        ),
        kernel=dataclasses.replace(
            image.kernel, package=config.kernel_package, version=kernel.version if kernel else ""
        ),
    )

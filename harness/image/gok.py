"""Building with the user's own ``gok``, gokrazy's real packer."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import BuildFailed, ToolMissing
from harness.image.cache import Cache
from harness.image.inputs import content_key, gather_extras, parse_kernel
from harness.image.instance import Instance
from harness.image.layout import read_layout
from harness.image.load import load_raw
from harness.image.model import Image, PermState
from harness.image.perm import format_perm
from harness.image.record import from_record, to_record
from harness.leash import leashed

_EVIDENCE_LINES = 20


def command(gok: Path, instance: Instance, disk: Path, *, size: int) -> list[str]:
    """The command line that writes a whole disk image."""
    return [
        str(gok),
        "-i",
        instance.folder.name,
        "--parent_dir",
        str(instance.folder.parent),
        "overwrite",
        f"--full={disk}",
        f"--target_storage_bytes={size}",
    ]


def build_with_gok(
    instance: Instance,
    *,
    size: int,
    perm: PermState,
    cache: Cache,
    progress: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> Image:
    """Have gok build the image; raises ToolMissing, BuildFailed.

    gok writes its builddir into the instance, as it does for its user. Its images differ from build to build; the
    cache keeps one for each state of the instance's own files.
    """
    found = shutil.which("gok", path=environ.get("PATH"))
    if found is None:
        raise ToolMissing(
            "gok is not on PATH",
            hint="go install github.com/gokrazy/tools/cmd/gok@main, or build with the own builder",
        )
    key = hashlib.sha256(f"gok {size} {perm} {_state(instance, Path(found), environ)}".encode()).hexdigest()

    def make(work: Path, disk: Path) -> Mapping[str, Any]:
        progress("building with gok")
        _run(command(Path(found), instance, disk, size=size), instance, environ)
        layout = read_layout(disk)
        if perm == "ext4" and layout.perm is not None:
            format_perm(disk, layout.perm, seed=instance.config.hostname, mtime=0)
        image = load_raw(disk, builder="gok", password=instance.password, instance=str(instance.folder))
        del work
        return to_record(dataclasses.replace(image, perm=perm))

    entry = cache.get(key, make, progress=progress)
    return from_record(
        entry.meta,
        path=entry.disk,
        password=instance.password,
        instance=str(instance.folder),
        notes=instance.notes,
    )


def _state(instance: Instance, gok: Path, environ: Mapping[str, str]) -> str:
    from harness.image.go import GoToolchain
    from harness.image.inputs import folder_digest

    kernel, _ = parse_kernel(None, instance)
    go = GoToolchain.find(arch=instance.arch, build_env=instance.config.env, environ=environ)
    status = gok.stat()
    return content_key(
        instance,
        roots=(),
        kernel=kernel,
        extras=gather_extras(instance),
        loaders=(),
        facts={
            "instance": folder_digest(instance.folder),
            "gok": [str(gok), status.st_size, status.st_mtime_ns],
            "go": go.version,
        },
    )


def _run(arguments: list[str], instance: Instance, environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        leashed(arguments, environ),
        cwd=instance.folder,
        env={**environ, "GOARCH": instance.arch},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        raise BuildFailed(
            f"gok ended with status {done.returncode}",
            where=str(instance.folder),
            hint="the lines below are gok's",
            evidence="\n".join(lines[-_EVIDENCE_LINES:]),
        )

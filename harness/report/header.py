"""The lines above a run: what will be tested, on what, with what."""

from __future__ import annotations

import shutil
import subprocess

from harness import boards
from harness.errors import HarnessError
from harness.image.arch import ARCHITECTURES
from harness.options import OWN_ARGUMENTS, Settings


def header_lines(settings: Settings) -> list[str]:
    """Say boards, QEMU and builder; nothing here may fail, whatever is missing on this machine."""
    if settings.device is not None:
        known = f"said to run {settings.image}" if settings.image else "known by its own word only"
        return [f"gokrazy: the real device at {settings.device}, {known}"]
    by_default = boards.names(boards.Default.ALWAYS) if settings.is_own else ("the boards that fit",)
    names = settings.boards or by_default
    hardware = f" with {', '.join(settings.hardware)}" if settings.hardware else ""
    subject = settings.instance or (str(settings.image) if settings.image else "the project's own images")
    perm = f"; /perm {settings.perm} at the first start" if settings.perm else ""
    warnings = [f"gokrazy: WARNING: {OWN_ARGUMENTS}"] if settings.qemu_arg else []
    return [
        f"gokrazy: {subject} on {', '.join(names)}{hardware}",
        f"gokrazy: {_qemu()}; builder {_builder(settings)}; accelerator {settings.accel}; "
        f"warm {settings.warm}{perm}",
        *warnings,
    ]


def _builder(settings: Settings) -> str:
    if settings.image is not None:
        return "none (finished image)"
    from harness.build.request import BuildRequest, beyond_gok, builder_of

    request = BuildRequest.of(settings.instance or "", settings)
    try:
        builder = builder_of(request)
    except HarnessError:
        return settings.builder  # the build says what is wrong
    if settings.builder != "auto" or builder == "gok":
        return builder
    if shutil.which("gok") is None:
        return "own (no gok on PATH)"
    return f"own (gok cannot do {', '.join(beyond_gok(request))})"


def _qemu() -> str:
    for row in ARCHITECTURES:
        program = row.qemu
        path = shutil.which(program)
        if path is None:
            continue
        try:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        return said.stdout.splitlines()[0].removesuffix(")") + ")" if said.stdout else f"{program} says nothing"
    return "no QEMU found"

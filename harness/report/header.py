"""The lines above a run: what will be tested, on what, with what."""

from __future__ import annotations

import shutil
import subprocess

from harness import boards
from harness.options import Settings


def header_lines(settings: Settings) -> list[str]:
    """Say boards, QEMU and builder; nothing here may fail, whatever is missing on this machine."""
    names = settings.boards or (boards.DEFAULT if settings.is_own else ("the boards that fit",))
    subject = settings.instance or (str(settings.image) if settings.image else "the project's own images")
    perm = f"; /perm {settings.perm} at the first start" if settings.perm else ""
    return [
        f"gokrazy: {subject} on {', '.join(names)}",
        f"gokrazy: {_qemu()}; builder {_builder(settings)}; accelerator {settings.accel}; "
        f"warm {settings.warm}{perm}",
    ]


def _builder(settings: Settings) -> str:
    if settings.image is not None:
        return "none (finished image)"
    if settings.builder == "auto":
        return "gok" if shutil.which("gok") else "own (no gok on PATH)"
    return settings.builder


def _qemu() -> str:
    for program in ("qemu-system-x86_64", "qemu-system-aarch64"):
        path = shutil.which(program)
        if path is None:
            continue
        try:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        return said.stdout.splitlines()[0].removesuffix(")") + ")" if said.stdout else f"{program} says nothing"
    return "no QEMU found"

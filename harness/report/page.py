"""The report as one HTML page that needs nothing else: what failed and why, when it did, and how to run it again.

What a device said is data here, never markup: the template escapes it, the script sets it as text, and the policy
of the page lets nothing run but that script.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness import __version__
from harness.build.licences import UNKNOWN
from harness.report.charts import Charts
from harness.report.document import Document, Run, Test
from harness.report.recorder import SERVICES
from harness.report.tested import by_licence

FOLDER = Path(__file__).parent / "template"
MOST = 4_800_000
"""Bytes of a page: some viewers of artifacts refuse larger ones."""
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What has no picture, or turns the direction of what is around it."""
_PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\0").decode()
"""What each PNG begins with, in base 64."""
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_WHOSE = {
    "HARNESS": "the harness's own fault",
    "HOST": "this host's fault",
    "SETUP": "something is not installed",
    "USER": "wrong input",
}
_BUILDERS = {"own": "packed by the harness", "gok": "packed by gok", "given": "a finished image"}
_IN_ENGLISH = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True)
class Shown:
    """How much of one test is shown."""

    lines: int = 1_000
    """Of its console, from the end."""
    characters: int = 20_000
    """Of an error or a section, from the end."""
    happenings: int = 10_000
    """Of its time line, from the end."""
    screen: bool = True
    """Whether pictures are shown: of its screen, and those that the test took."""


_LESS = (Shown(90), Shown(40, 4_000), Shown(0, 1_500, 60, screen=False), Shown(0, 400, 0, screen=False))
"""What is left of tests where the page would grow too large, one after the other."""


def write_page(path: Path, document: Document, charts: Charts | None = None) -> None:
    """Write the page of a run that is over, or of several; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(document, charts), encoding="utf-8", errors="replace")


def html(document: Document, charts: Charts | None = None) -> str:
    """The page; where it would be above ``MOST`` bytes, what is shown of tests that passed is cut first."""
    passed = failed = Shown()
    text = _render(document, charts, passed, failed)
    for less in _LESS:
        for green in (True, False):
            if len(text.encode(errors="replace")) <= MOST:
                return text
            passed, failed = (less, failed) if green else (passed, less)
            text = _render(document, charts, passed, failed)
    return text


def _render(document: Document, charts: Charts | None, passed: Shown, failed: Shown) -> str:
    style, script = ((FOLDER / name).read_text("utf-8") for name in ("page.css", "page.js"))
    most = max((one.seconds for one in document.tests), default=0.0) or 1.0
    rooms = [(one, failed if one.is_red else passed) for one in document.tests]
    several = len(document.runs) > 1
    shown = [_shown(number, one, room, most=most, several=several) for number, (one, room) in enumerate(rooms)]
    reds = [one for one in shown if one["red"]]
    return (
        environment()
        .get_template("page.html")
        .render(
            document=document,
            policy=policy_of(style, script, pictures=any(one["screen"] or one["pictures"] for one in shown)),
            # Ours, from the package: the only text that is taken as markup.
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            version=__version__,
            lead=_lead(document),
            spread=_spread(document),
            boards=document.boards,
            reds=reds,
            others=[one for one in shown if not one["red"]],
            remarks=_remarks(document),
            charts=charts if charts is not None and charts.rows else None,
            images=[_image(document, one) for one in document.images],
            facts=[
                _facts(number, run, len(document.runs)) for number, run in enumerate(document.runs) if run.facts
            ],
            data={"tests": [_told(one, room) for one, room in rooms]},
        )
    )


@cache
def environment() -> Environment:
    """The templates; what is filled into them is data, and has no characters that nobody sees."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # What is Markup is no plain str, and ours: there is nothing to clean.
        finalize=lambda value: _clean(value) if type(value) is str else value,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return made


def policy_of(style: str, script: str, *, pictures: bool = False) -> str:
    """Nothing is loaded and nothing runs but what has these digests; pictures are part of the page."""
    images = "img-src data:; " if pictures else ""
    return (
        f"default-src 'none'; {images}style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _clean(text: str) -> str:
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


# -- the parts


def _lead(document: Document) -> list[str]:
    begun = [run.began for run in document.runs if run.began]
    parts = [datetime.fromtimestamp(min(begun), UTC).strftime("%-d %B %Y, %H:%M UTC")] if begun else []
    if len(document.runs) > 1:
        parts.append(f"{len(document.runs)} runs")
    parts.append(_took(sum(run.seconds for run in document.runs)))
    return [*parts, *document.boards]


def _spread(document: Document) -> list[dict[str, Any]]:
    whole, at, parts = len(document.tests), 0.0, []
    for outcome, count in document.counts.items():
        width = 1000 * count / whole
        at += width
        gap = 3 if at < 999 else 0
        parts.append({"outcome": outcome, "x": f"{at - width:.1f}", "width": f"{max(width - gap, 1):.1f}"})
    return parts


def _shown(number: int, one: Test, room: Shown, *, most: float, several: bool) -> dict[str, Any]:
    before, colons, name = one.nodeid.partition("::")
    path = before + colons if colons else ""
    return {
        "number": number,
        "red": one.is_red,
        "path": path,
        "name": name or one.nodeid,
        "board": one.board,
        "outcome": one.outcome,
        "verdict": _verdict(one),
        "what": one.what,
        "hint": one.hint,
        "where": one.where,
        "place": f"{one.file}:{one.line}" if one.file else one.nodeid,
        "reproduce": one.reproduce,
        "run": f"run {one.run + 1}" if several else "",
        # What an assertion compared is its whole evidence; of a device's error, the time line is the better half.
        "open": not one.fault or not one.story,
        "error": one.error[-room.characters :],
        "sections": [(title, text[-room.characters :]) for title, text in one.sections],
        "facts": list(one.properties.items()),
        "took": _took(one.seconds),
        "share": f"{100 * one.seconds / most:.1f}",
        "has_story": bool(one.story or one.stages),
        "screen": _picture(one, one.screen) if room.screen else None,
        "pictures": [shown for raw in one.pictures if (shown := _picture(one, raw))] if room.screen else [],
    }


def _picture(one: Test, raw: Mapping[str, Any]) -> dict[str, str] | None:
    """A picture of a test, if it is one, its title, and when it was taken by the clock of its time line."""
    png = str(raw.get("png", ""))
    if not png.startswith(_PNG) or not _BASE64.fullmatch(png):
        return None
    began = one.story.get("began", 0.0)
    zero = one.stages[0][1] - began if began and one.stages else 0.0
    return {"png": png, "title": str(raw.get("title", "")), "at": f"{raw.get('at', 0.0) - zero:.1f} s"}


def _verdict(one: Test) -> str:
    """What kind of failure it is, in words: "kernel panic, in its set-up"."""
    kind = _IN_ENGLISH.sub(" ", one.kind).lower() or one.outcome
    whose = _WHOSE.get(one.fault, "")
    stage = {"setup": "before the test began", "teardown": "in its tear-down"}.get(one.stage, "")
    return ", ".join(part for part in (kind, whose, stage) if part)


def _remarks(document: Document) -> list[dict[str, str]]:
    rows = [_row("known deviation", f"{name}: {seen}", "warn") for name, seen in document.deviations.items()]
    rows += [
        _row("console", f"[{one['check']}] {one['what']}", "warn", _in(one["tests"], one["boards"]))
        for one in document.console
    ]
    rows += [
        _row("service", one["seen"], "", f"{SERVICES.get(one['kind'], one['kind'])}; {_on(one['boards'])}")
        for one in document.services
    ]
    rows += [_row("note", note, "") for run in document.runs for note in dict.fromkeys(run.notes)]
    rows += [
        _row("skipped", reason, "", f"{count} {_tests(count)}")
        for reason, count in sorted(document.skipped.items())
    ]
    rows += [
        _row("left out", part, "", f"in {count} {_tests(count)}")
        for part, count in sorted(document.left_out.items())
    ]
    return rows


def _row(kind: str, text: str, tone: str, more: str = "") -> dict[str, str]:
    return {"kind": kind, "text": text.removeprefix("note  "), "tone": tone, "more": more}


def _in(tests: int, boards: list[str]) -> str:
    return f"in {tests} {_tests(tests)}, {_on(boards)}"


def _on(boards: list[str]) -> str:
    return f"on {', '.join(one for one in boards if one)}"


def _tests(count: int) -> str:
    return "test" if count == 1 else "tests"


def _facts(number: int, run: Run, runs: int) -> dict[str, Any]:
    when = datetime.fromtimestamp(run.began, UTC).strftime("%Y-%m-%d %H:%M UTC") if run.began else "a run"
    share = f", shard {run.shard}" if run.shard else ""
    return {
        "title": f"Run {number + 1}, {when}{share}" if runs > 1 else f"{when}{share}",
        "rows": run.facts.items(),
    }


def _image(document: Document, one: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of an image that was tested."""
    kernel, modules = one.get("kernel", {}), one.get("modules", [])
    tests = [test for test in document.tests if test.properties.get("gk_image") == one["digest"]]
    boards = sorted({test.board for test in tests})
    package = f"{kernel.get('package', '')} {kernel.get('version', '')}".strip()
    digest = f"vmlinuz: sha256 {kernel['sha256']}" if kernel.get("sha256") else ""
    rows = [
        ("Digest", one["digest"]),
        ("Kernel", "; ".join(filter(None, (kernel.get("release", ""), package, digest)))),
        ("EFI boot loader", one.get("boot_loader", "")),
        ("Boot sector", one.get("boot_sector", "")),
        ("Bill of materials", f"/etc/gokrazy/sbom.json, hash {one['sbom_hash']}" if one.get("sbom_hash") else ""),
        ("Notes", "; ".join(one.get("notes", ()))),
    ]
    return {
        "name": one.get("hostname") or one["title"],
        "about": " · ".join(
            [
                one["title"],
                one["arch"],
                *([f"build {one['build']}"] if one["build"] else []),
                _BUILDERS.get(one["builder"], one["builder"]),
            ]
        ),
        "used": f"{len(tests)} {_tests(len(tests))}, {_on(boards)}" if tests else "",
        "licences": ", ".join(f"{count} {name}" for name, count in by_licence(modules).items()),
        "rows": [(name, text) for name, text in rows if text],
        "modules": [
            {
                "path": row["path"],
                "version": row["version"],
                "licences": ", ".join(row["licences"]),
                "known": not any(text.startswith(UNKNOWN) for text in row["licences"]),
            }
            for row in modules
        ],
    }


def _told(one: Test, room: Shown) -> dict[str, Any] | None:
    """What the script draws of a test."""
    if not one.story and not one.stages:
        return None
    happenings = _last(one.story.get("happenings", []), room.happenings)
    console = _last(one.story.get("console", []), room.lines)
    began = one.story.get("began", one.stages[0][1] if one.stages else 0.0)
    return {
        "stage": one.stage,
        "began": began,
        "stages": one.stages,
        "happenings": [{**row, "text": _clean(row["text"])} for row in happenings],
        "console": [[at, who, _clean(text)] for at, who, text in console],
    }


def _last(rows: list[Any], most: int) -> list[Any]:
    return rows[-most:] if most else []


def _took(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"

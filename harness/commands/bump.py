"""``gokharness bump``: an appliance with a new kernel, or another new part, compared with the one without it."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import Commands, options_of, settings_of
from harness.errors import HarnessError, OptionError
from harness.options import Settings

if TYPE_CHECKING:
    from harness.bump.bump import Known, Sides
    from harness.bump.compare import Row
    from harness.lab.lab import Lab

SKIP, ABORT = 125, 128
"""What ``git bisect run`` understands: this commit cannot be tried; nothing can."""

NAME = "gokharness bump"


def add(commands: Commands) -> None:
    """Add it to the commands."""
    bump = commands.add_parser("bump", help="compare an appliance with a new kernel or module with the old one")
    bump.add_argument("subject", metavar="INSTANCE|IMAGE")
    bump.add_argument(
        "--against",
        metavar="KERNEL|IMAGE",
        default="",
        help="the old side: a kernel, named as the new one is (default: that of the instance), or the older image",
    )
    bump.add_argument(
        "--bisect",
        nargs="+",
        metavar="VERSION",
        help="find the first bad one: of the commits between two in the checkout of a kernel, or of versions",
    )
    bump.add_argument(
        "--row",
        metavar="ROW",
        default="",
        help="look at this row only, named as the comparison prints it, such as 'boots'; --bisect needs it",
    )
    bump.add_argument("--accept", metavar="FILE", help="a file of differences that are accepted, until a day")
    bump.add_argument("--markdown", metavar="FILE", help="write the verdict for a pull request")
    bump.add_argument("--junit", metavar="FILE", help="write the rows as JUnit XML")
    bump.add_argument("--html", metavar="FILE", help="write the verdict as a page that needs nothing else")
    bump.add_argument("--json", action="store_true", help="print JSON")
    options_of("bump", bump)
    bump.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare, print the verdict, and say by the exit status whether anything got worse."""
    from harness.bump.bump import NoNewSide
    from harness.report.words import Words

    try:
        return _compare(options)
    except HarnessError as error:
        if not _is_asked_by_git(options.gk_kernel):
            raise
        print(f"gokharness: {Words(options.command)(str(error))}", file=sys.stderr)
        return SKIP if isinstance(error, NoNewSide) else ABORT


def _compare(options: argparse.Namespace) -> int:
    from harness.bump.accepted import accepted, read
    from harness.bump.bump import with_port
    from harness.bump.render import as_json, junit, markdown, text
    from harness.lab.lab import Lab
    from harness.report.comparison import comparison
    from harness.report.places import must_take_files, must_take_machines
    from harness.report.words import Words

    settings, words = with_port(settings_of(options)), Words(options.command)
    must_take_machines(settings)
    known = read(Path(options.accept).expanduser()) if options.accept else ()
    named = {"--markdown": options.markdown, "--junit": options.junit, "--html": options.html}
    files = {flag: Path(name).expanduser() for flag, name in named.items() if name}
    for flag, path in files.items():
        must_take_files(path.parent, what="the verdict", flag=flag)

    def say(line: str) -> None:
        print(words(line), file=sys.stderr, flush=True)

    with (
        tempfile.TemporaryDirectory(prefix="gk-kernels-") as scratch,
        Lab(replace(settings, kernel=None, with_modules=()), say=say) as lab,
    ):
        look = Look(settings, lab, Path(scratch), say)
        if options.bisect:
            return _bisect(options, look)
        what, rows = look.at(settings.kernel, settings.with_modules, options.against, row=options.row)
    rows = accepted(rows, known)
    # First what cannot fail: a file that cannot be written must not take the verdict along.
    print(as_json(rows, what) if options.json else text(rows))
    verdict = markdown(rows, what)
    content = {"--markdown": verdict, "--junit": junit(rows, NAME), "--html": comparison(rows, what)}
    for flag, path in files.items():
        _write(path, content[flag], flag)
    _tell_github(rows, verdict)
    return 1 if any(row.is_regression for row in rows) else 0


def _write(path: Path, content: str, flag: str) -> None:
    from harness.report.places import not_written

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", errors="replace")
    except OSError as error:
        raise not_written(error, path.parent, what="the verdict", flag=flag) from None


def _tell_github(rows: Sequence[Row], verdict: str) -> None:
    """Annotations on standard error, as standard output may be JSON, and a summary; where GitHub runs this."""
    from harness.report.github import SUMMARY, append, errors

    worse = [(f"{row.board}: {row.what}", f"worse: {row.why}") for row in rows if row.is_regression]
    for line in errors(worse, "rows are worse: all are in the summary"):
        print(line, file=sys.stderr, flush=True)
    if path := os.environ.get(SUMMARY):
        with suppress(OSError):
            # The verdict stands elsewhere, and the exit status must be its own.
            append(f"### {NAME}\n\n{verdict}", Path(path))


def _is_asked_by_git(kernel: str | None) -> bool:
    """Whether ``git bisect run`` reads the exit status: to it, most statuses are a bad commit."""
    from harness.bump.bisect import bisects

    places = [Path.cwd(), *([Path(kernel).expanduser()] if kernel and Path(kernel).expanduser().is_dir() else [])]
    return any(map(bisects, places))


@dataclass(frozen=True)
class Look:
    """Comparisons of one instance or image, in one lab; commits of kernels are taken out into ``scratch``."""

    settings: Settings
    lab: Lab
    scratch: Path
    say: Callable[[str], None]
    known: Known = field(default_factory=dict)
    """What was seen of the old side, which a bisection looks at once."""

    def at(
        self, kernel: str | None, modules: tuple[str, ...], against: str, *, row: str = ""
    ) -> tuple[Sides, list[Row]]:
        """What is compared, and its rows: of all, or as much as it takes to see one."""
        from harness.bump.bump import Depth, bump, of_row, sides
        from harness.bump.checkout import kernel_folder

        lab, settings = self.lab, self.settings
        new = str(settings.image) if settings.image is not None else kernel
        titles = against or "as the instance has it", ", ".join(filter(None, (new, *modules)))
        taken = kernel_folder(kernel, self.scratch) if kernel else None
        if not lab.boards:
            raise OptionError("no board fits this image", where=str(settings.image or settings.instance))
        wanted = replace(settings, kernel=taken, with_modules=modules)
        what = sides(lab, wanted, kernel_folder(against, self.scratch), titles)
        if not row:
            return what, list(bump(lab, what, say=self.say))
        depth = Depth.of_row(row)
        rows = list(bump(lab, what, say=self.say, depth=depth, known=self.known))
        found = of_row(row, rows)
        if not found:
            names = "\n".join(dict.fromkeys(one.what for one in rows))
            raise OptionError(
                f"no board has the row {row!r}",
                hint="take one of these, or another that the whole comparison prints",
                evidence=names,
            )
        return what, found


def _bisect(options: argparse.Namespace, look: Look) -> int:
    """Find the first bad one of many versions, by one row, and print it with the reason."""
    from harness.bump.bisect import commits, first_bad
    from harness.bump.bump import NoNewSide

    settings, names = look.settings, options.bisect
    if len(names) < 2 or not options.row or bool(settings.kernel) == (len(settings.with_modules) == 1):
        raise OptionError(
            "--bisect takes what is tried, and the row that shows it",
            hint="--gk-kernel DIR, or --gk-with MODULE, without a version; --bisect GOOD BAD; --row 'boots'",
        )
    of_kernel = settings.kernel is not None
    base = settings.kernel or settings.with_modules[0]
    if of_kernel and (Path(base).expanduser() / ".git").exists():
        names = commits(Path(base).expanduser(), names[0], names[-1])
    candidates = [f"{base}@{name}" for name in names]
    why: dict[str, str] = {}

    def is_bad(candidate: str) -> bool | None:
        try:
            if of_kernel:
                _, rows = look.at(candidate, (), candidates[0], row=options.row)
            else:
                _, rows = look.at(None, (candidate,), "", row=options.row)
        except NoNewSide as error:
            look.say(f"{candidate}: it cannot be tried: {error.what}")
            return None
        worse = [row for row in rows if row.is_regression]
        why[candidate] = "; ".join(f"{row.board}: {row.what}: {row.why}" for row in worse)
        look.say(f"{candidate}: {f'bad: {why[candidate]}' if worse else 'good'}")
        return bool(worse)

    if not is_bad(candidates[-1]):
        raise OptionError(f"the bad one is not bad by the row {options.row!r}", where=candidates[-1])
    found = first_bad(candidates, is_bad, say=look.say)
    print(f"first bad: {found}\n{why[found]}")
    return 1

"""The command ``gokharness``: the harness's abilities without writing a test."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from harness import __version__, boards
from harness.build.subject import is_image
from harness.errors import Fault, HarnessError, OptionError
from harness.option import Option
from harness.options import OPTIONS, OWN_ARGUMENTS, Settings, must_be_readable, settings_from

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.image.model import Image


class _Parser(argparse.ArgumentParser):
    """Ends with our status for wrong input: argparse's own means something else."""

    def error(self, message: str) -> NoReturn:
        """Say how it is used and what is wrong."""
        self.print_usage(sys.stderr)
        hint = "\n  to do: give pytest's options after --" if "--gk-" in message and " --" not in self.prog else ""
        self.exit(Fault.USER.value, f"{self.prog}: {message}{hint}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (0 fine, 1 appliance, 4 input, 10 harness, 11 host, 12 set-up)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    passed_on: list[str] = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, passed_on = arguments[:at], arguments[at + 1 :]
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return Fault.USER.value
    options.passed_on = passed_on
    try:
        return int(options.run(options))
    except HarnessError as error:
        from harness.report.words import Words

        print(f"gokharness: {Words(options.command)(str(error))}", file=sys.stderr)
        return int(error.fault.value)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gokharness",
        description="Test gokrazy appliances under QEMU.",
        epilog="Exit status: 0 fine, 1 appliance failed, 4 wrong input, 10 harness, 11 host, 12 set-up missing.",
    )
    parser.add_argument("--version", action="version", version=f"gokharness {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")

    doctor = commands.add_parser("doctor", help="report what this machine can do, and how to mend the rest")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=_doctor)

    check = commands.add_parser("check", help="run the scenarios against an instance or a finished image")
    check.add_argument("subject", metavar="INSTANCE|IMAGE")
    check.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML")
    _options_of("check", check, epilog="What follows -- goes to pytest: -- -k boots --gk-tier all")
    check.set_defaults(run=_check)

    build = commands.add_parser("build", help="build an instance and print where its image is")
    build.add_argument("subject", metavar="INSTANCE")
    build.add_argument("--json", action="store_true", help="print JSON")
    _options_of("build", build)
    build.set_defaults(run=_build)

    boot = commands.add_parser("boot", help="boot an instance or image, and type at its console")
    boot.add_argument("subject", metavar="INSTANCE|IMAGE")
    boot.add_argument("--name", metavar="NAME", help="what ctl calls this machine (default: its host name)")
    boot.add_argument(
        "--warm",
        dest="gk_warm",
        action="store_const",
        const="persist",
        help="start from a snapshot, which is kept for the next time; cold where the board allows none",
    )
    boot.add_argument(
        "--watch", action="store_true", help="when files of the instance change, build it and update the device"
    )
    _options_of("boot", boot)
    boot.set_defaults(run=_boot)

    report = commands.add_parser("report", help="merge the reports of shards, or of several runs, into one page")
    report.add_argument("sources", metavar="DIR|FILE", nargs="+", help="a folder with report.json, or such a file")
    report.add_argument("--out", metavar="FILE", default="report.html", help="the page (default: report.html)")
    report.add_argument("--json", metavar="FILE", help="write the merged report as JSON too")
    _options_of("report", report, epilog="")
    report.set_defaults(run=_report)

    ctl = commands.add_parser(
        "ctl",
        help="command a machine that boot, or pytest --gk-pause, runs",
        epilog="'gokharness ctl help' lists the commands. It answers a line of JSON. Status: 0 done, 1 not done.",
    )
    ctl.add_argument("--name", metavar="NAME", help="which machine, where several run")
    ctl.add_argument("words", nargs="+", metavar="COMMAND")
    ctl.set_defaults(run=_ctl)

    repro = commands.add_parser("repro", help="stand where a test failed, by its bundle, until Ctrl-C")
    repro.add_argument("bundle", metavar="BUNDLE")
    repro.add_argument("--image", metavar="FILE|INSTANCE", help="the image, where it is not found by itself")
    how = repro.add_mutually_exclusive_group()
    how.add_argument("--from-start", action="store_true", help="boot the image from power-on instead")
    how.add_argument("--rerun", action="store_true", help="run the test once more instead")
    _options_of("repro", repro, epilog="")
    repro.set_defaults(run=_repro)

    cache = commands.add_parser("cache", help="show what the cache keeps, or prune it")
    cache.add_argument("action", choices=("show", "prune"), nargs="?", default="show")
    cache.add_argument(
        "--max-gb", type=float, default=0.0, metavar="GB", help="how much prune leaves (default 0: nothing)"
    )
    _options_of("cache", cache, epilog="")
    cache.set_defaults(run=_cache)
    return parser


def _options_of(command: str, parser: argparse.ArgumentParser, epilog: str | None = None) -> None:
    """Add the options that this command has as flags of its own."""
    parser.epilog = "After --, pytest's own: -- --gk-timestamp 2026-01-31T12:00:00Z" if epilog is None else epilog
    for option in OPTIONS:
        if command in option.commands:
            _add(parser, option, option.flag_of(command))


def _add(parser: argparse.ArgumentParser, option: Option, flag: str) -> None:
    if option.kind == "flag":
        parser.add_argument(flag, dest=option.ini, action="store_const", const=True, help=option.help)
        return
    parser.add_argument(
        flag,
        dest=option.ini,
        action="append" if option.kind in ("list", "lines") else "store",
        metavar="|".join(option.choices) or option.metavar,
        help=option.help,
    )


def _said(options: argparse.Namespace) -> dict[str, object]:
    """What the command line says, by the options' ini names, with paths made absolute."""
    kind = "gk_image" if is_image(Path(options.subject).expanduser()) else "gk_instance"
    given = {**vars(options), kind: options.subject}
    return {option.ini: option.located(given.get(option.ini), Path.cwd()) for option in OPTIONS}


def _as_pytest_takes_it(values: Mapping[str, object]) -> list[str]:
    result = []
    for option in OPTIONS:
        value = values.get(option.ini)
        if value is True:
            result.append(option.flag)
        elif value is not None:
            result += [f"{option.flag}={one}" for one in (value if isinstance(value, list) else [value])]
    return result


def _doctor(options: argparse.Namespace) -> int:
    """Report what this machine can do."""
    from harness.host import doctor

    return doctor.run(options.json, sys.stdout)


def _check(options: argparse.Namespace) -> int:
    """Run pytest over the shipped scenarios, with this command's options as pytest's."""
    import pytest

    from harness.package_data import scenarios_folder
    from harness.report.words import Words

    said = _said(options)
    # An error is reported here, before pytest wraps it into its own usage message.
    settings_from(said)
    arguments = [
        "--rootdir",
        str(Path.cwd()),
        "-c",
        "/dev/null",
        "-p",
        "no:cacheprovider",
        *_as_pytest_takes_it(said),
    ]
    if options.junit:
        arguments.append(f"--junitxml={Path(options.junit).expanduser().absolute()}")
    return int(pytest.main([*arguments, *options.passed_on, str(scenarios_folder())], [Words(options.command)]))


def _settings(options: argparse.Namespace) -> Settings:
    """The settings of a command that runs without pytest, and takes pytest's flags after ``--`` all the same."""
    after = _Parser(prog=f"gokharness {options.command} {options.subject} --", add_help=False, allow_abbrev=False)
    for option in OPTIONS:
        _add(after, option, option.flag)
    more = vars(after.parse_args(options.passed_on))
    settings = settings_from({**_said(options), **{name: said for name, said in more.items() if said is not None}})
    must_be_readable(settings)
    return settings


def _build(options: argparse.Namespace) -> int:
    """Build an instance, and print its image's path or, as JSON, what is known of the image."""
    from harness.lab.lab import Lab
    from harness.report.places import must_keep_images
    from harness.report.words import Words

    settings, words = _settings(options), Words(options.command)
    must_keep_images(settings)
    if settings.instance is None:
        raise OptionError(
            "this is a file, but only an instance can be built",
            where=str(settings.image),
            hint="name the folder that has the instance's config.json",
        )
    with Lab(settings, say=lambda line: print(words(line), file=sys.stderr)) as lab:
        image = lab.images.build(settings.instance)
    for note in image.notes:
        print(words(f"note: {note}"), file=sys.stderr)
    print(json.dumps(_facts(image), indent=2) if options.json else image.path)
    return 0


def _facts(image: Image) -> dict[str, object]:
    from harness.image.digest import sha256_of

    return {
        "path": str(image.path),
        "sha256": sha256_of(image.path),
        "digest": image.digest,
        "arch": image.arch,
        "build": image.build,
        "builder": image.builder,
        "kernel": image.kernel.release,
        "boot_sector": image.boot_sector,
        "boot_loader": image.boot_loader,
        "modules": dict(image.modules),
        "notes": list(image.notes),
    }


def _boot(options: argparse.Namespace) -> int:
    """Boot on the first board that fits, and stay until whoever stands in front of it leaves."""
    from harness.hand.boot import Asked, boot
    from harness.hand.terminal import Terminal
    from harness.lab.lab import Lab
    from harness.report.places import must_keep_images, must_take_files
    from harness.report.words import Words

    settings, words = _settings(options), Words(options.command)
    subject = str(settings.image or settings.instance)
    asked = Asked(subject, options.name or "", warm=settings.warm == "persist", watch=options.watch)
    must_take_files(settings.artifacts, what="logs", flag="--gk-artifacts")
    must_keep_images(settings)
    terminal = Terminal.of(sys.stdin, sys.stdout)
    say = terminal.say if terminal is not None else print
    with Lab(settings, say=lambda line: say(words(line))) as lab:
        fitting = lab.boards
        if not fitting:
            raise OptionError("no board fits this image", hint=f"boards: {', '.join(boards.names())}")
        if settings.qemu_arg:
            lab.journal.say(f"gokrazy: WARNING: {OWN_ARGUMENTS}")
        if summary := settings.equipment.summary_on(fitting[0]):
            lab.journal.say(f"gokrazy: {fitting[0].name}: {summary}")
        boot(lab, fitting[0], asked, terminal=terminal, out=sys.stdout, words=words)
    return 0


def _report(options: argparse.Namespace) -> int:
    """Merge reports by their JSON, and say what they come to; an unreadable one is an error, never left out."""
    from harness.report.charts import charts
    from harness.report.document import Document
    from harness.report.history import earlier
    from harness.report.page import write_page
    from harness.report.places import not_written

    whole = Document.merged(Document.read(Path(source).expanduser()) for source in options.sources)
    out = Path(options.out).expanduser()
    past = earlier(Path(options.gk_history).expanduser()) if options.gk_history else ()
    try:
        write_page(out, whole, charts(whole.boots, past, whole.limits))
        if options.json:
            whole.write(Path(options.json).expanduser())
    except OSError as error:
        raise not_written(error, out.parent, what="the report", flag="--out") from None
    print(f"{whole.title}: {out}")
    return whole.exit_status


def _ctl(options: argparse.Namespace) -> int:
    """Have a machine that runs by hand do something, and print its answer, a line of JSON."""
    from harness.hand import commands, ctl

    words = options.words
    if words == ["help"]:
        print(commands.table())
        return 0
    return 0 if ctl.ask(ctl.chosen(options.name), words, say=print) else 1


def _repro(options: argparse.Namespace) -> int:
    """Restore the machine of a bundle and show its console until Ctrl-C, or run its test."""
    from harness.bundle.repro import Asked, beside, read, repro
    from harness.bundle.rerun import rerun
    from harness.hand.show import show
    from harness.report.words import Words

    bundle, words = Path(options.bundle).expanduser().absolute(), Words(options.command)
    said = {one.ini: one.located(vars(options).get(one.ini), Path.cwd()) for one in OPTIONS}
    said["gk_artifacts"] = said["gk_artifacts"] or beside(bundle)
    asked = Asked(bundle, options.image or "", from_start=options.from_start, said=said)
    if options.rerun:
        return rerun(read(asked), asked.image, said)

    def say(line: str) -> None:
        print(words(line), flush=True)

    def shown(appliance: Appliance) -> None:
        def goes_on() -> bool:
            appliance.power.check()
            return appliance.power.is_on

        show(appliance.console, goes_on=goes_on, out=sys.stdout)

    repro(asked, say=say, show=shown)
    return 0


def _cache(options: argparse.Namespace) -> int:
    """List the images and snapshots that are kept, or prune them."""
    from harness.build.cache import Cache
    from harness.lab.snapshots import snapshot_root
    from harness.report.places import must_take_files
    from harness.store.store import Store

    settings = settings_from({"gk_cache": options.gk_cache})
    cache, snapshots = Cache(settings.cache_root), Store(snapshot_root(settings))
    if options.action == "prune":
        must_take_files(settings.cache_root, what="the cache", flag="--gk-cache")
        # Snapshots first: their machines are booted again in seconds, where images take a compiler.
        most = int(options.max_gb * 1e9)
        forgotten = snapshots.prune(max(0, most - sum(entry.bytes_on_disk for entry in cache.entries())))
        removed = cache.prune(most)
        print(f"removed {len(removed)} images and {len(forgotten)} snapshots from {cache.root}")
        return 0
    images, kept = cache.entries(), snapshots.entries()
    for image in images:
        print(image)
    for snapshot in kept:
        print(f"snapshot: {snapshot.title}: {snapshot.allocated() / 1e6:.0f} MB in {snapshot.folder}")
    print(f"{len(images)} images and {len(kept)} snapshots in {cache.root}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

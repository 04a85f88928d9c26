"""The command ``gokharness``: the harness's abilities without writing a test."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import __version__, boards
from harness.errors import Fault, HarnessError, OptionError
from harness.options import Settings


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
        print(f"gokharness: {error}", file=sys.stderr)
        return int(error.fault.value)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gokharness",
        description="Test gokrazy appliances under QEMU.",
        epilog="Exit status: 0 fine, 1 appliance failed, 4 wrong input, 10 harness, 11 host, 12 set-up missing.",
    )
    parser.add_argument("--version", action="version", version=f"gokharness {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="say what this machine can do, and what mends the rest")
    doctor.add_argument("--json", action="store_true", help="for machines")
    doctor.set_defaults(run=_doctor)

    check = commands.add_parser("check", help="run the scenarios against an instance or a finished image")
    check.add_argument("subject", metavar="INSTANCE|IMAGE")
    check.add_argument(
        "--board",
        metavar="NAME[,NAME]",
        help="default: those of pc-bios,pc-uefi,virt that fit, or the Pi boards for a Pi image",
    )
    check.add_argument(
        "--from", dest="old", metavar="OLD", help="older instance or image: update from it, and back"
    )
    check.add_argument("--next", metavar="FILE|DIR", help="what the update scenarios install")
    check.add_argument("--list", action="store_true", help="only say what would run, and about how long it takes")
    check.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML")
    _build_options(check)
    check.set_defaults(run=_check)

    build = commands.add_parser("build", help="build an instance and print where its image is")
    build.add_argument("instance", metavar="INSTANCE")
    build.add_argument("--json", action="store_true", help="for machines")
    _build_options(build)
    build.set_defaults(run=_build)

    boot = commands.add_parser("boot", help="boot an instance or image, show its console, until Ctrl-C")
    boot.add_argument("subject", metavar="INSTANCE|IMAGE")
    boot.add_argument("--board", metavar="NAME", help="default: the first that fits")
    boot.add_argument("--network", choices=("restricted", "open"), default="restricted")
    _build_options(boot)
    boot.set_defaults(run=_boot)

    cache = commands.add_parser("cache", help="show what is kept, or prune it")
    cache.add_argument("action", choices=("show", "prune"), nargs="?", default="show")
    cache.add_argument("--max-gb", type=float, default=0.0, help="what prune leaves at most (default 0: nothing)")
    cache.add_argument("--cache", metavar="DIR")
    cache.set_defaults(run=_cache)
    return parser


def _build_options(parser: argparse.ArgumentParser) -> None:
    for name, metavar, text in (
        ("builder", "auto|gok|own", "who packs the image"),
        ("kernel", "MODULE@VERSION|DIR", "another kernel"),
        ("password-file", "FILE", "the web interface's password"),
        ("ssh-key", "FILE", "private key that breakglass accepts"),
        ("perm", "ext4|blank", "how /perm is before the first start"),
        ("artifacts", "DIR", "where logs and the report go"),
        ("cache", "DIR", "where built images are kept"),
    ):
        parser.add_argument(f"--{name}", metavar=metavar, help=text)
    parser.add_argument("--with", dest="with_", action="append", metavar="MODULE@VERSION", help="another version")
    parser.add_argument("--serial", action="store_true", help="build with a serial console")
    parser.add_argument(
        "--boot-again", action="store_true", help="start what did not come up for each test that needs it"
    )
    parser.add_argument("--fast-boot", action="store_true", help="drop rootdelay")


_PASSED_ON = (
    *(
        "builder",
        "kernel",
        "password_file",
        "ssh_key",
        "perm",
        "artifacts",
        "cache",
        "serial",
        "fast_boot",
        "boot_again",
    ),
)


def _pytest_options(options: argparse.Namespace) -> list[str]:
    """The plugin's options for what was said here."""
    subject = Path(options.subject).expanduser()
    kind = "image" if subject.is_file() else "instance"
    result = [f"--gk-{kind}={options.subject}"]
    for name in _PASSED_ON:
        value = getattr(options, name)
        flag = f"--gk-{name.replace('_', '-')}"
        if value is True:
            result.append(flag)
        elif value:
            result.append(f"{flag}={value}")
    result += [f"--gk-with={module}" for module in options.with_ or ()]
    if options.board:
        result.append(f"--gk-board={options.board}")
    return result


def _doctor(options: argparse.Namespace) -> int:
    from harness.host import doctor

    return doctor.run(options.json, sys.stdout)


def _check(options: argparse.Namespace) -> int:
    import pytest

    from harness.shipped import scenarios_folder

    arguments = [
        "--rootdir",
        str(Path.cwd()),
        "-c",
        "/dev/null",
        "-p",
        "no:cacheprovider",
        *_pytest_options(options),
    ]
    if options.old:
        arguments.append(f"--gk-from={options.old}")
    if options.next:
        arguments.append(f"--gk-next-image={options.next}")
    if options.junit:
        arguments.append(f"--junitxml={options.junit}")
    if options.list:
        arguments.append("--gk-list")
    return int(pytest.main([*arguments, *options.passed_on, str(scenarios_folder())]))


def _settings(options: argparse.Namespace, subject: str) -> Settings:
    from harness.options import settings_from

    values: dict[str, object] = {f"gk_{name}": getattr(options, name) or None for name in _PASSED_ON}
    values["gk_with"] = options.with_
    kind = "gk_image" if Path(subject).expanduser().is_file() else "gk_instance"
    return settings_from({**values, kind: subject, "gk_board": getattr(options, "board", None)})


def _build(options: argparse.Namespace) -> int:
    from harness.lab import Lab

    with Lab(_settings(options, options.instance), say=lambda line: print(line, file=sys.stderr)) as lab:
        image = lab.stock.build(options.instance)
    if options.json:
        facts = {
            "path": str(image.path),
            "sha256": image.digest,
            "arch": image.arch,
            "build": image.build,
            "builder": image.builder,
            "kernel": image.kernel.release,
            "modules": dict(image.modules),
        }
        print(json.dumps(facts, indent=2))
    else:
        print(image.path)
    return 0


def _boot(options: argparse.Namespace) -> int:
    from harness.lab import Lab

    with Lab(_settings(options, options.subject), say=print) as lab:
        fitting = lab.boards
        if not fitting:
            raise OptionError("no board fits this image", hint=f"boards: {', '.join(boards.NAMES)}")
        lab.show(fitting[0], network=options.network, out=sys.stdout)
    return 0


def _cache(options: argparse.Namespace) -> int:
    from harness.captures import capture_root
    from harness.image.cache import Cache
    from harness.machine.store import Store

    settings = Settings(cache=Path(options.cache).expanduser() if options.cache else None)
    cache, captures = Cache(settings.cache_root), Store(capture_root(settings))
    if options.action == "prune":
        # Captures first: their machines are booted again in seconds, where images take a compiler.
        most = int(options.max_gb * 1e9)
        forgotten = captures.prune(max(0, most - sum(entry.bytes_on_disk for entry in cache.entries())))
        removed = cache.prune(most)
        print(f"removed {len(removed)} images and {len(forgotten)} captures from {cache.root}")
        return 0
    images, kept = cache.entries(), captures.entries()
    for image in images:
        print(image)
    for capture in kept:
        print(f"capture: {capture.title}: {capture.allocated() / 1e6:.0f} MB in {capture.folder}")
    print(f"{len(images)} images and {len(kept)} captures in {cache.root}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

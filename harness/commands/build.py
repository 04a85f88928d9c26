"""``gokharness build``: an instance, built."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import Commands, options_of, settings_of
from harness.errors import ImageError, OptionError

if TYPE_CHECKING:
    from harness.image.model import Image


def add(commands: Commands) -> None:
    """Add it to the commands."""
    build = commands.add_parser("build", help="build an instance and print where its image is")
    build.add_argument("subject", metavar="INSTANCE")
    build.add_argument("--json", action="store_true", help="print JSON")
    build.add_argument(
        "--sbom",
        metavar="FILE",
        help="also write its bill of materials: CycloneDX if FILE ends with .cdx.json, else as gok sbom does",
    )
    options_of("build", build)
    build.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build an instance, and print its image's path or, as JSON, what is known of the image."""
    from harness.lab.lab import Lab
    from harness.report.places import must_keep_images
    from harness.report.words import Words

    settings, words = settings_of(options), Words(options.command)
    must_keep_images(settings)
    if settings.instance is None:
        raise OptionError(
            "this is a file, but only an instance can be built",
            where=str(settings.image),
            hint="name the folder that has the instance's config.json",
        )
    with Lab(settings, say=lambda line: print(words(line), file=sys.stderr)) as lab:
        image = lab.images.build(settings.instance)
        if options.sbom is not None:
            _write_sbom(image, Path(options.sbom).expanduser())
    for note in image.notes:
        print(words(f"note: {note}"), file=sys.stderr)
    print(json.dumps(_facts(image), indent=2) if options.json else image.path)
    return 0


def _write_sbom(image: Image, file: Path) -> None:
    from harness.build.cyclonedx import SUFFIX, cyclonedx
    from harness.image.sbom_check import sbom_of

    try:
        bill = sbom_of(image)
    except ValueError as error:
        raise ImageError(f"the bill of materials in the image {error}", where=str(image.path)) from None
    text = cyclonedx(image, bill) if file.name.endswith(SUFFIX) else bill.document
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(
            f"--sbom: the file cannot be written: {error.strerror}", where=str(file), hint="name another place"
        ) from None


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

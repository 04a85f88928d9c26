"""Ways to make an instance larger or slower than its limits, or its bill of materials untrue."""

from __future__ import annotations

import json
import random
from pathlib import Path

from harness.faults.disk import with_file
from harness.image.sbom import PLACE
from harness.image.squashfs import SquashFs
from harness.tests.verdict import damage, programs
from harness.tests.verdict.damage import Damage, Disk
from harness.tests.verdict.of_others import configured, with_own_program
from harness.tests.verdict.way import Red, Way

NAMES = "test_the_bill_of_materials_names_each_program_module_and_extra_file"
LIMITS = json.loads((Path(__file__).parents[3] / "images" / "limits.json").read_text())["hello-arm64"]
GROWN = 1.2
"""What is planted: a fifth more, where a tenth more is allowed."""
HEALTHY = {name: most / 1.1 for name, most in LIMITS.items()}


def told(edit: str, by: str) -> Damage:
    """Another text in the bill of materials."""

    def harm(disk: Disk) -> None:
        text = SquashFs(disk.image.path, disk.image.layout.root_a.offset).read(PLACE).decode()
        assert edit in text
        damage.root(with_file(PLACE, text.replace(edit, by, 1).encode()))(disk)

    return harm


def another_hash(disk: Disk) -> None:
    told(disk.image.sbom_hash, "0" * 64)(disk)


def larger_root(folder: Path) -> None:
    """A file of the instance's own that does not get smaller when it is packed."""
    size = int(HEALTHY["root"] * (GROWN - 1) * (1 << 20))
    (folder / "more.bin").write_bytes(random.Random(1).randbytes(size))
    config = json.loads((folder / "config.json").read_text())
    config["PackageConfig"]["github.com/gokrazy/breakglass"]["ExtraFilePaths"] = {"/etc/more.bin": "more.bin"}
    (folder / "config.json").write_text(json.dumps(config, indent=4))


def more_memory(folder: Path) -> None:
    """A program that holds a fifth of what the healthy image needs at rest."""
    packages = json.loads((folder / "config.json").read_text())["Packages"]
    with_own_program(programs.HOLDS_MEMORY % int(HEALTHY["memory"] * (GROWN - 1)))(folder)
    configured(Packages=[*packages, "example.org/mine"])(folder)


def limited(name: str) -> tuple[str, ...]:
    """The option that sets one of the limits."""
    return (f"--limits={name}: {LIMITS[name]}",)


SIZES = (
    Way(
        "bill of materials: another hash",
        Red(NAMES, "ApplianceFault", "says that its hash is 000", "build the image again"),
        damage=another_hash,
        tests="test_sbom and names_each",
    ),
    Way(
        "bill of materials: a program of another build",
        Red(NAMES, "ApplianceFault", "names /user/hello with the build id", "build the image again"),
        damage=damage.with_program("/user/hello", programs.SLEEPS),
        tests="test_sbom and names_each",
    ),
    Way(
        "bill of materials: cut short",
        Red(NAMES, "ApplianceFault", "is no JSON", "build the image again"),
        damage=damage.root(with_file(PLACE, b'{"sbom_hash": "00')),
        tests="test_sbom and names_each",
    ),
    Way(
        "size: a fifth more root file system",
        Red(
            "test_a_file_system_is_no_larger_than_its_limit",
            "ApplianceFault",
            "root takes .* and may take",
            "raise the limit",
        ),
        instance=larger_root,
        options=limited("root"),
        tests="test_size and file_system",
    ),
    Way(
        "size: a fifth more memory at rest",
        Red(
            "test_it_needs_no_more_memory_at_rest",
            "ApplianceFault",
            "MiB of memory at rest, and may take",
            "raise the limit",
        ),
        instance=more_memory,
        options=limited("memory"),
        tests="test_size and memory",
    ),
    Way(
        "size: a slower boot",
        Red(
            "test_it_boots_no_slower_than_its_limit",
            "ApplianceFault",
            "as the project's own image, and may 1.1",
            "raise the limit",
        ),
        # A wait is as long on any host: what it says more slows some of them by less than a tenth.
        instance=configured(KernelExtraArgs=["rootdelay=10"]),
        options=("--limits=boot: 1.1",),
        tests="test_size and slower",
    ),
)

"""One image at its smallest size and as a disk of 16 GiB: what is a hole is to cost nothing."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Result, interleaved, measured, note, run_of, spread
from harness.build.build import build
from harness.build.cache import Cache
from harness.build.request import BuildRequest
from harness.image.copying import copy_sparse
from harness.image.disk import SMALLEST_DISK
from harness.lab.lab import Lab
from harness.package_data import images_folder

BOARD = "pc-bios"
LARGE = 16 << 30
ROUND_OF = 3
"""A pair takes minutes: there is one for so many pairs of the others."""
TESTS = (
    "test_the_appliance_boots_from_power_on_to_its_web_interface",
    "test_the_web_interface_asks_for_the_password",
    "test_the_root_file_system_is_read_only",
)


def sparse(lab: Lab, pairs: int) -> list[Result]:
    """`gokharness check` of a finished image with three tests: the smallest disk, and one of 16 GiB."""
    with tempfile.TemporaryDirectory(prefix="gk-bench-") as name:
        small, large = (_image(lab, size, Path(name)) for size in (SMALLEST_DISK, LARGE))
        both = list(interleaved(-(-pairs // ROUND_OF), lambda: _check(small), lambda: _check(large)))
    note(f"sparse: smallest {spread([a for a, _ in both])}, 16 GiB {spread([b for _, b in both])}")
    return [
        measured("sparse, smallest disk", [a for a, _ in both], "s"),
        measured("sparse, disk of 16 GiB", [b for _, b in both], "s"),
        measured(
            "sparse, 16 GiB against the smallest",
            [b / a for a, b in both],
            "ratio",
            "at most 1.2",
            lambda ratio: ratio <= 1.2,
        ),
    ]


def _image(lab: Lab, size: int, folder: Path) -> Path:
    """A file as its user has it: no entry of the cache, and with holes."""
    request = BuildRequest(images_folder() / "hello-amd64", builder="own", size=size)
    with Cache(lab.settings.cache_root) as cache:
        image = build(request, cache=cache, progress=note)
        return copy_sparse(image.path, folder / f"{size}.img")


def _check(image: Path) -> float:
    """Seconds that the command takes; raises Failed unless the three tests passed."""
    with tempfile.TemporaryDirectory(prefix="gk-bench-") as folder:
        command = [sys.executable, "-m", "harness", "check", str(image), "--board", BOARD]
        chosen = ["--", "-k", " or ".join(TESTS)]
        took, _ = run_of([*command, *chosen], of=f"the {len(TESTS)} tests", passed=len(TESTS), cwd=Path(folder))
    return took

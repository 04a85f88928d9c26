"""Benchmarks: the two sides of a ratio are measured in turn in one run.

A goal that is not met is printed, and no failure; a side that does not do what is measured is one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeAlias

from benchmarks import deaths, many, sizes, starts, suite
from benchmarks.figures import Failed, Result, note

from harness.errors import HarnessError
from harness.lab.lab import Lab
from harness.options import Settings

Benchmark: TypeAlias = Callable[[Lab, int], list[Result]]
BENCHMARKS: dict[str, Benchmark] = {
    "cold": starts.cold,
    "warm": starts.warm,
    "warm-cold": starts.warm_cold,
    "rewind": starts.rewind,
    "hundred": many.hundred,
    "scale": many.scale,
    "sparse": sizes.sparse,
    "panic": deaths.panic,
    "suite": suite.suite,
}


def main() -> int:
    """Run the benchmarks that were named, or all; 1 when one of them gave no figure, the others go on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pairs", type=int, default=9, help="how often both sides are measured (%(default)s)")
    parser.add_argument(
        "--tests", type=int, default=many.HUNDRED, help="how many tests hundred has (%(default)s; fewer to try it)"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    if min(options.pairs, options.tests) < 1:
        parser.error("nothing to measure: --pairs and --tests begin at 1")
    benchmarks: dict[str, Benchmark] = {**BENCHMARKS, "hundred": partial(many.hundred, tests=options.tests)}
    results: list[Result] = []
    failed: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="gk-bench-") as artifacts,
        Lab(Settings(artifacts=Path(artifacts)), say=note) as lab,
    ):
        for name in options.names or BENCHMARKS:
            try:
                found = benchmarks[name](lab, options.pairs)
            except (Failed, HarnessError) as error:
                note(f"bench: {name} gave no figure: {error}")
                failed.append(name)
                continue
            results += found
            if not options.json:
                # At once: a run of all of them takes an hour.
                print(*found, sep="\n", flush=True)
    if options.json:
        print(json.dumps({"results": [asdict(one) for one in results], "failed": failed}, indent=2))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Benchmarks: the two sides of a ratio are measured in turn in one run; no figure is a failure."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks import many, starts
from benchmarks.figures import note

from harness.lab import Lab
from harness.options import Settings

BENCHMARKS = {
    "cold": starts.cold,
    "warm": starts.warm,
    "warm-cold": starts.warm_cold,
    "rewind": starts.rewind,
    "hundred": many.hundred,
    "scale": many.scale,
}


def main() -> int:
    """Run the benchmarks that were named, or all; a goal that is not met is printed, and no failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pairs", type=int, default=9)
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    chosen = [BENCHMARKS[name] for name in options.names or BENCHMARKS]
    with (
        tempfile.TemporaryDirectory(prefix="gk-bench-") as artifacts,
        Lab(Settings(artifacts=Path(artifacts)), say=note) as lab,
    ):
        results = [result for benchmark in chosen for result in benchmark(lab, options.pairs)]
    if options.json:
        print(json.dumps({"results": [asdict(one) for one in results]}, indent=2))
    else:
        for one in results:
            goal = f"goal: {one.goal}: {'met' if one.met else 'NOT MET'}" if one.goal else ""
            print(f"{one.name:50} {one.value:8} {one.unit:14} {goal}".rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())

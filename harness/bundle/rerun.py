"""What ``gokharness repro --rerun`` does: the test of a bundle once more, with the options of its run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.bundle.manifest import Manifest
from harness.bundle.source import options_for
from harness.errors import OptionError
from harness.options import as_flags
from harness.package_data import scenarios_folder


def rerun(manifest: Manifest, image: str, said: Mapping[str, object]) -> int:
    """Run it with pytest; returns pytest's exit status. Raises OptionError where there is no such test here."""
    kept = {name: manifest.options.get(name) for name in ("gk_warm", "gk_next_image", "gk_from")}
    values = {**kept, **options_for(manifest, image, said)}
    root, test = place(manifest)
    arguments = ["--rootdir", str(root), "-c", "/dev/null", "-p", "no:cacheprovider"]
    return int(pytest.main([*arguments, *as_flags(values), str(root / test)]))


def place(manifest: Manifest) -> tuple[Path, str]:
    """The folder that the test's id begins at here, and the id; raises OptionError."""
    case = manifest.case
    file = case.id.partition("::")[0]
    if case.scenario:
        return scenarios_folder(), case.scenario
    for root in (Path.cwd(), Path(case.root)):
        if (root / file).is_file():
            return root, case.id
    raise OptionError(
        f"the test of this bundle is not here: {case.id}",
        where=f"looked for {file} in {Path.cwd()} and {case.root}",
        hint="go to the folder that has it, and call repro there",
    )

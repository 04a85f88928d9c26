"""Whether a bill of materials is true: what it names is in the root file system, and it names each service."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from harness.image.gobinary import HEAD_BYTES, architecture, build_id, build_info
from harness.image.model import Image
from harness.image.root import root_of
from harness.image.sbom import PLACE, Listed, Sbom, read_sbom

# What the linker of Go notes of a program, and what it was built from; the rest are settings of the build.
_SAID = ("path", "mod", "dep", "=>")


def has_sbom(image: Image) -> bool:
    """Whether there is a bill of materials in the root file system that an image boots."""
    return any(one.path == PLACE for one in root_of(image).entries())


def sbom_of(image: Image) -> Sbom:
    """The bill of materials in the root file system that an image boots; raises ValueError with what is wrong."""
    return read_sbom(root_of(image).read(PLACE).decode(errors="replace"))


def sbom_troubles(image: Image) -> list[str]:
    """What is wrong with the bill of materials of an image, a sentence each; nothing when it is true."""
    with tempfile.TemporaryDirectory(prefix="gokrazy-sbom-") as folder:
        tree = Path(folder) / "tree"
        root_of(image).extract("/", tree)
        found = {f"/{path.relative_to(tree)}": path for path in tree.rglob("*") if _is_file(path)}
        return troubles_in(found, [one.path for one in image.services])


def troubles_in(files: Mapping[str, Path], services: Collection[str]) -> list[str]:
    """The same for a root file system by its files: where each is on the device, and where it lies here.

    ``services`` are the paths of those that must be named. gok names the programs that it built, but for init,
    which it makes from them; of one that ExtraFilePaths put beside them it has the hash at most.
    """
    if PLACE not in files:
        return [f"there is no {PLACE}"]
    try:
        bill = read_sbom(files[PLACE].read_text("utf-8", errors="replace"))
    except ValueError as error:
        return [f"{PLACE} {error}"]
    found = []
    if bill.hash != bill.computed:
        found.append(
            f"{PLACE} says that its hash is {bill.hash}, and what it contains has the hash {bill.computed}"
        )
    return [*found, *_of_programs(bill, files, services), *_of_files(bill, files)]


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _of_programs(bill: Sbom, files: Mapping[str, Path], services: Collection[str]) -> Iterator[str]:
    if bill.programs is None:
        # What an older gok wrote, which names no program.
        return
    named = {one.path: one for one in bill.programs}
    for path in sorted({*services} & {*files} - {*named}):
        if architecture(files[path].read_bytes()) is not None:
            yield f"it does not name {path}, which is there"
    for path, one in sorted(named.items()):
        if path not in files:
            yield f"it names {path}, which is not there"
        else:
            yield from _of_program(one, files[path].read_bytes())


def _of_program(one: Listed, program: bytes) -> Iterator[str]:
    if (has := build_id(program[:HEAD_BYTES])) != one.build_id:
        yield f"it names {one.path} with the build id {one.build_id}, and the program's is {has or 'not there'}"
    said = _said(one.info.splitlines())
    # A packed program says nothing of its modules.
    if (lines := build_info(program).lines) and (differs := sorted(_said(lines) ^ said)):
        yield f"it names {one.path} with other modules than the program has: {differs[0]}"


def _said(lines: Iterable[str]) -> set[str]:
    return {" ".join(line.split()) for line in lines if line.split("\t")[0] in _SAID}


def _of_files(bill: Sbom, files: Mapping[str, Path]) -> Iterator[str]:
    if bill.files:
        there = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files.values()}
        for one in bill.files:
            if one.sha256 not in there:
                yield f"it names the extra file {one.path}, and no file there has its bytes"

"""The bill of materials in an image, in gokrazy's format, without paths of the build host."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.build.extrafiles import Extra
from harness.image.gobinary import HEAD_BYTES, build_id
from harness.image.sbom import go_json, hash_of
from harness.image.squashfs import File


def sbom(
    *,
    config: bytes,
    extras: Sequence[Extra],
    programs: Mapping[str, tuple[Path, str]],
    instance: Path,
) -> bytes:
    """The document: digests of config.json and of extra files, build id and build info of each program.

    ``config`` is config.json as gok stores it (see ``stored_config``). ``programs`` maps a path on the device to
    the binary and to what Go noted in it. Where gokrazy writes absolute paths of the build host, these are
    relative to the instance, so that two machines write the same.
    """
    content = {
        "config_hash": {"path": "config.json", "hash": hashlib.sha256(config).hexdigest()},
        "extra_file_hashes": sorted(
            (
                {"path": _shown(extra.origin, instance), "hash": _digest(extra.node)}
                for extra in extras
                if extra.origin is not None
                and isinstance(extra.node, File)
                and isinstance(extra.node.content, Path)
            ),
            key=lambda entry: entry["path"],
        )
        or None,
        "go_packages": [
            {"path": path, "BuildID": _build_id(binary), "BuildInfo": info}
            for path, (binary, info) in sorted(programs.items())
        ]
        or None,
    }
    return (go_json({"sbom_hash": hash_of(content), "sbom": content}) + "\n").encode()


def _shown(path: Path, instance: Path) -> str:
    try:
        return path.resolve().relative_to(instance.resolve()).as_posix()
    except ValueError:
        return path.name


def _digest(node: File) -> str:
    content = node.content.read_bytes() if isinstance(node.content, Path) else node.content
    return hashlib.sha256(content).hexdigest()


def _build_id(binary: Path) -> str:
    with binary.open("rb") as file:
        return build_id(file.read(HEAD_BYTES))

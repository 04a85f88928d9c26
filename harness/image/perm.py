"""The permanent partition: formatted with the same bytes each time, files put in and taken out, without root."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from harness.errors import ImageError, InternalError
from harness.image.hosttool import evidence, run_tool
from harness.image.model import Extent

# All of it is spelled out, so that one version of e2fsprogs writes what another one writes: newer ones add
# orphan_file and metadata_csum_seed by default, which older kernels and tools refuse.
_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,"
    "huge_file,dir_nlink,extra_isize,metadata_csum"
)


def format_perm(image: Path, place: Extent, *, seed: str, mtime: int) -> None:
    """Make an empty ext4 at ``place`` of a disk image; identities derive from ``seed``, times are ``mtime``."""
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"perm:{seed}")
    hash_seed = uuid.uuid5(uuid.NAMESPACE_OID, f"perm-hash:{seed}")
    options = f"offset={place.offset},hash_seed={hash_seed},root_owner=0:0,nodiscard"
    options += ",lazy_itable_init=0,lazy_journal_init=0"
    done = run_tool(
        [
            *(
                "mke2fs",
                "-F",
                "-q",
                "-t",
                "ext4",
                "-O",
                _FEATURES,
                "-b",
                "4096",
                "-I",
                "256",
                "-i",
                "16384",
                "-m",
                "5",
            ),
            *("-L", "perm", "-U", str(identity), "-E", options, image, f"{place.size // 1024}k"),
        ],
        env={"E2FSPROGS_FAKE_TIME": str(mtime), "SOURCE_DATE_EPOCH": str(mtime), "MKE2FS_CONFIG": "/dev/null"},
    )
    if done.returncode != 0:
        raise InternalError(
            "mke2fs could not format the permanent partition.", where=str(image), evidence=evidence(done)
        )


def write_files(ext4: Path, files: Mapping[str, bytes], *, mode: int = 0o600) -> None:
    """Put files into an ext4 file (not mounted), owned by root; missing directories are made, old files replaced.

    A journal that a crash left behind is replayed first. Raises ImageError when there is no usable ext4.
    """
    replay_journal(ext4)
    with tempfile.TemporaryDirectory(prefix="gokrazy-perm-") as folder:
        commands: list[str] = []
        for index, (name, content) in enumerate(files.items()):
            path = _plain(name)
            local = Path(folder) / str(index)
            local.write_bytes(content)
            for parent in reversed(path.parents[:-1]):
                if not _exists(ext4, parent):
                    commands += [f'mkdir "{parent}"', *_owner(parent, 0o040755)]
            if _exists(ext4, path):
                commands.append(f'rm "{path}"')
            commands += [f'write "{local}" "{path}"', *_owner(path, 0o100000 | mode)]
        script = Path(folder) / "commands"
        script.write_text("\n".join(dict.fromkeys(commands)) + "\n")
        _debugfs(ext4, ["-w", "-f", script])
    for name, content in files.items():
        if read_file(ext4, name) != content:
            raise ImageError(
                f"The file {name} could not be written into the permanent partition.",
                where=str(ext4),
                hint="Check that there is room left on it.",
            )


def replay_journal(ext4: Path) -> None:
    """Bring an ext4 file that a crash left behind to the state that its owner would find; raises ImageError."""
    checked = run_tool(["e2fsck", "-p", ext4])
    if checked.returncode not in (0, 1):
        raise _unusable(ext4, evidence(checked))


def read_file(ext4: Path, name: str) -> bytes | None:
    """The content of a file in an ext4 file, None when it is not there; raises ImageError without an ext4."""
    path = _plain(name)
    if not _exists(ext4, path):
        return None
    return _debugfs(ext4, ["-R", f'cat "{path}"'])


def _exists(ext4: Path, path: PurePosixPath) -> bool:
    return b"Inode:" in _debugfs(ext4, ["-R", f'stat "{path}"'])


def _owner(path: PurePosixPath, mode: int) -> list[str]:
    return [f'sif "{path}" mode 0{mode:o}', f'sif "{path}" uid 0', f'sif "{path}" gid 0']


def _plain(name: str) -> PurePosixPath:
    path = PurePosixPath("/", name)
    if '"' in name or not name.isprintable() or ".." in path.parts or path == PurePosixPath("/"):
        raise ImageError(
            f"The name {name!r} cannot be used in the permanent partition.",
            hint="Use a plain path without quotes, control characters or '..'.",
        )
    return path


def _debugfs(ext4: Path, arguments: list[str | Path]) -> bytes:
    done = run_tool(["debugfs", *arguments, ext4])
    if b"while trying to open" in done.stderr or b"Bad magic number" in done.stderr or done.returncode != 0:
        raise _unusable(ext4, evidence(done))
    return done.stdout


def _unusable(ext4: Path, seen: str) -> ImageError:
    return ImageError(
        "The permanent partition holds no ext4 that can be used.",
        where=str(ext4),
        hint="Boot the image once so that it is formatted, or have it formatted before: --gk-perm ext4.",
        evidence=seen,
    )

import hashlib
from pathlib import Path

import pytest

from harness.image.digest import BLOCK, content_digest, sha256_of

Pieces = list[tuple[int, bytes]]


def sparse(path: Path, pieces: Pieces, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for offset, data in pieces:
            file.seek(offset)
            file.write(data)
    return path


SHAPES: list[tuple[Pieces, int]] = [
    ([], 0),
    ([], 5 << 20),
    ([(0, b"start")], 5),
    ([(3 << 20, b"middle")], 7 << 20),
    ([(0, b"a" * 70000), ((4 << 20) - 3, b"end")], 4 << 20),
    ([(BLOCK - 1, b"xy"), (5 * BLOCK - 4096, b"z" * 8192)], 9 * BLOCK + 17),
]


@pytest.mark.parametrize(("pieces", "size"), SHAPES)
def test_holes_count_as_the_zeros_that_they_are(tmp_path: Path, pieces: Pieces, size: int) -> None:
    path = sparse(tmp_path / "sparse", pieces, size)
    full = tmp_path / "full"
    full.write_bytes(path.read_bytes())
    assert content_digest(path) == content_digest(full)
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_no_two_contents_have_the_same_digest(tmp_path: Path) -> None:
    shapes: list[tuple[Pieces, int]] = [
        *SHAPES,
        ([], BLOCK),
        ([], 2 * BLOCK),
        ([(0, b"x")], 2 * BLOCK),
        ([(BLOCK, b"x")], 2 * BLOCK),
        ([(BLOCK + 1, b"x")], 2 * BLOCK),
        ([(0, b"x"), (BLOCK, b"x")], 2 * BLOCK),
        ([(0, b"x"), (BLOCK, b"x")], 3 * BLOCK),
    ]
    assert len({content_digest(sparse(tmp_path / "file", *shape)) for shape in shapes}) == len(shapes)


def bytes_read() -> int:
    """Bytes that this process has asked the system for so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


def test_what_is_a_hole_is_not_read(tmp_path: Path) -> None:
    pieces = [(0, b"a" * 4096), (9 << 30, b"b" * (1 << 20)), ((16 << 30) - 512, b"c" * 512)]
    path = sparse(tmp_path / "disk.img", pieces, 16 << 30)
    assert path.stat().st_blocks * 512 < 4 << 20
    before = bytes_read()
    content_digest(path)
    assert bytes_read() - before < 4 << 20

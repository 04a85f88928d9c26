import hashlib
from pathlib import Path

import pytest

from harness.image.digest import sha256_of


@pytest.mark.parametrize(
    ("pieces", "size"),
    [
        ([], 0),
        ([], 5 << 20),
        ([(0, b"start")], 5),
        ([(3 << 20, b"middle")], 7 << 20),
        ([(0, b"a" * 70000), ((4 << 20) - 3, b"end")], 4 << 20),
    ],
)
def test_holes_count_as_zeros(tmp_path: Path, pieces: list[tuple[int, bytes]], size: int) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(size)
        for offset, data in pieces:
            file.seek(offset)
            file.write(data)
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()

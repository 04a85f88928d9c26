import subprocess
from pathlib import Path

import pytest

from harness.errors import ImageError, ToolMissing
from harness.image.squashfs import Dir, Entry, File, Link, SquashFs, Tree, pack
from harness.tests.image.synthetic import MTIME


def sample(from_file: Path) -> Tree:
    tree = Tree()
    tree.add("/gokrazy/init", File(from_file, 0o755))
    tree.add("/etc/gokr-pw.txt", File(b"secret", 0o400))
    tree.add("/tmp", Dir())
    tree.add("/perm", Dir(0o755))
    tree.add("/var", Link("/perm/var"))
    tree.add("/user/with blank -> arrow", File(b"odd", 0o644))
    tree.add("/user/äöü", File(b"", 0o4755))
    tree.add("/long/" + "x" * 200 + "/" + "y" * 200, File(b"deep"))
    return tree


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("squashfs")
    (folder / "program").write_bytes(b"program" * 100_000)
    pack(sample(folder / "program"), folder / "root", mtime=MTIME)
    return folder / "root"


def test_modes_owners_and_kinds_are_exact(packed: Path) -> None:
    entries = {entry.path: entry for entry in SquashFs(packed).entries()}
    assert all((entry.uid, entry.gid) == (0, 0) for entry in entries.values())
    assert {path: (entry.kind, entry.mode) for path, entry in entries.items() if not path.startswith("/long")} == {
        "/": ("dir", 0o555),
        "/etc": ("dir", 0o555),
        "/etc/gokr-pw.txt": ("file", 0o400),
        "/gokrazy": ("dir", 0o555),
        "/gokrazy/init": ("file", 0o755),
        "/perm": ("dir", 0o755),
        "/tmp": ("dir", 0o555),
        "/user": ("dir", 0o555),
        "/user/with blank -> arrow": ("file", 0o644),
        "/user/äöü": ("file", 0o4755),
        "/var": ("link", 0o777),
    }
    assert entries["/var"].target == "/perm/var"
    assert entries["/gokrazy/init"].size == 700_000


def test_contents_come_back(packed: Path, tmp_path: Path) -> None:
    root = SquashFs(packed)
    assert root.read("/gokrazy/init") == b"program" * 100_000
    assert root.read("etc/gokr-pw.txt") == b"secret"
    assert root.read("/user/with blank -> arrow") == b"odd"
    assert root.read("/user/äöü") == b""
    assert root.read("/long/" + "x" * 200 + "/" + "y" * 200) == b"deep"
    root.extract("/gokrazy", tmp_path / "out")
    assert (tmp_path / "out" / "gokrazy" / "init").read_bytes() == b"program" * 100_000
    assert not (tmp_path / "out" / "etc").exists()


def test_it_is_gzip_and_dated_throughout(packed: Path) -> None:
    assert SquashFs(packed).compression == "gzip"
    assert SquashFs(packed).mtime == MTIME
    listed = subprocess.run(
        ["unsquashfs", "-UTC", "-lln", packed], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    # The root directory too: mksquashfs likes to date it today.
    assert all("2023-11-14 22:13" in line for line in listed if line)


def test_same_tree_same_bytes(packed: Path, tmp_path: Path) -> None:
    pack(sample(packed.parent / "program"), tmp_path / "again", mtime=MTIME)
    assert (tmp_path / "again").read_bytes() == packed.read_bytes()


def test_it_is_read_at_an_offset_and_knows_its_length(packed: Path, tmp_path: Path) -> None:
    data = packed.read_bytes()
    (tmp_path / "disk").write_bytes(bytes(8192) + data + bytes(100_000))
    inner = SquashFs(tmp_path / "disk", 8192)
    assert inner.entries() == SquashFs(packed).entries()
    assert inner.bytes_used <= len(data) < inner.bytes_used + 4096
    assert inner.read("/etc/gokr-pw.txt") == b"secret"


@pytest.mark.parametrize(
    ("path", "node"),
    [
        ("/etc/gokr-pw.txt", File(b"other")),
        ("/etc", File(b"")),
        ("/etc/gokr-pw.txt/below", File(b"")),
        ("/var", Dir()),
        ("/var/log", Dir()),
    ],
)
def test_a_path_is_taken_once(path: str, node: Dir | File) -> None:
    tree = sample(Path("unused"))
    with pytest.raises(ImageError) as caught:
        tree.add(path, node)
    assert caught.value.where == path


def test_replacing_is_possible_when_asked_for() -> None:
    tree = sample(Path("unused"))
    tree.add("/etc/gokr-pw.txt", File(b"other"), replace=True)
    tree.add("/perm", Dir(0o700))
    assert tree["/etc/gokr-pw.txt"] == File(b"other")
    assert tree["/perm"] == Dir(0o700)


@pytest.mark.parametrize("path", ["/nope", "/etc", "/var"])
def test_what_is_no_file_cannot_be_read(packed: Path, path: str) -> None:
    with pytest.raises(ImageError, match=f"{path} cannot be read"):
        SquashFs(packed).read(path)


def test_what_is_not_there_cannot_be_extracted(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="/etc/nope cannot be extracted"):
        SquashFs(packed).extract("/etc/nope", tmp_path / "out")


@pytest.mark.parametrize("keep", [0, 50, 96, 4000])
def test_a_truncated_one_is_an_image_error(packed: Path, tmp_path: Path, keep: int) -> None:
    (tmp_path / "cut").write_bytes(packed.read_bytes()[:keep])
    with pytest.raises(ImageError):
        SquashFs(tmp_path / "cut").entries()


@pytest.mark.parametrize("where", ["tables", "data", "superblock"])
def test_a_damaged_one_is_an_image_error(packed: Path, tmp_path: Path, where: str) -> None:
    data = bytearray(packed.read_bytes())
    used = SquashFs(packed).bytes_used
    start, size = {"tables": (used - 300, 300), "data": (96, 2000), "superblock": (8, 88)}[where]
    data[start : start + size] = bytes(255 - byte for byte in data[start : start + size])
    (tmp_path / "damaged").write_bytes(data)

    def read_it() -> list[Entry]:
        root = SquashFs(tmp_path / "damaged")
        root.read("/gokrazy/init")
        return root.entries()

    with pytest.raises(ImageError) as caught:
        read_it()
    assert str(tmp_path / "damaged") in caught.value.where


def test_a_missing_program_names_its_package(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.image.hosttool._SBIN", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="mksquashfs") as caught:
        pack(Tree(), tmp_path / "root", mtime=MTIME)
    assert "squashfs-tools" in caught.value.hint
    with pytest.raises(ToolMissing, match="unsquashfs"):
        SquashFs(packed).entries()


def test_a_failing_pack_leaves_nothing(tmp_path: Path) -> None:
    tree = Tree()
    tree.add("/user/gone", File(tmp_path / "gone"))
    # Several times: whether mksquashfs still takes what was buffered for it is a race.
    for _ in range(5):
        with pytest.raises(FileNotFoundError):
            pack(tree, tmp_path / "root", mtime=MTIME)
        assert list(tmp_path.iterdir()) == []


def test_everything_can_be_extracted_at_once(packed: Path, tmp_path: Path) -> None:
    SquashFs(packed).extract("/", tmp_path / "all")
    there = {f"/{path.relative_to(tmp_path / 'all')}" for path in (tmp_path / "all").rglob("*")} | {"/"}
    assert there == {entry.path for entry in SquashFs(packed).entries()}

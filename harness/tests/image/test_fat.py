import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ImageError
from harness.image.fat import CLUSTER, FatVolume, write_fat
from harness.tests.image import synthetic

FILES = synthetic.boot_files(synthetic.cmdline("amd"), synthetic.bzimage())
MTIME = synthetic.MTIME


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fat") / "boot.fat"
    write_fat(path, FILES, mtime=MTIME)
    return path


def need(program: str) -> str:
    found = shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def test_what_is_written_is_read(volume: Path) -> None:
    fat = FatVolume.open(volume)
    assert {name: fat.read(name) for name in fat.files()} == dict(FILES)


def test_names_are_compared_as_firmware_does(volume: Path) -> None:
    fat = FatVolume.open(volume)
    assert fat.read("/efi/boot/bootx64.efi") == fat.read("EFI/BOOT/BOOTX64.EFI")
    assert fat.exists("CMDLINE.TXT")
    assert not fat.exists("loader")
    assert not fat.exists("nope")


def test_extents_are_those_of_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "boot.fat"
    places = write_fat(path, FILES, mtime=MTIME)
    data = path.read_bytes()
    fat = FatVolume.open(data)
    for name, content in FILES:
        place = places[name]
        assert fat.extent(name) == place
        assert data[place.offset : place.offset + place.size] == content


def test_same_input_same_bytes_and_content_from_files(tmp_path: Path, volume: Path) -> None:
    from_files: list[tuple[str, bytes | Path]] = []
    for index, (name, content) in enumerate(FILES):
        assert isinstance(content, bytes)
        (tmp_path / str(index)).write_bytes(content)
        from_files.append((name, tmp_path / str(index)))
    write_fat(tmp_path / "again", from_files, mtime=MTIME)
    assert (tmp_path / "again").read_bytes() == volume.read_bytes()
    write_fat(tmp_path / "later", FILES, mtime=MTIME + 60)
    assert (tmp_path / "later").read_bytes() != volume.read_bytes()


def test_the_file_ends_after_the_last_used_cluster(volume: Path) -> None:
    assert FatVolume.open(volume).used_bytes == volume.stat().st_size


def find_as_gokrazy_does(data: bytes, path: str) -> tuple[int, int]:
    """A model of how a device finds the files that it edits: one FAT, 8.3 names, contiguous directories."""
    size, per_cluster, reserved, copies, entries = struct.unpack_from("<HBHBH", data, 11)
    fat_sectors = struct.unpack_from("<H", data, 22)[0]
    assert copies == 1
    directory = (reserved + fat_sectors) * size
    start = directory + -(-entries * 32 // size) * size
    for part in path.split("/"):
        stem, dot, extension = part.partition(".")
        if len(stem) > 8 or len(extension) > 3:
            stem, extension = stem[:6] + "~1", extension[:3]
        for index in range(entries):
            raw = data[directory + 32 * index : directory + 32 * index + 32]
            if raw[0] == 0 or raw[11] == 0x0F:
                continue
            name = raw[:8].rstrip(b" ").decode() + (f".{raw[8:11].decode()}" if raw[8] != 32 else "")
            # Without an extension it compares with the path's own spelling, so case counts there.
            same = name.lower() == f"{stem}.{extension}".lower() if dot else name == part
            if same:
                cluster, length = struct.unpack_from("<HI", raw, 26)
                offset = start + (cluster - 2) * per_cluster * size
                if raw[11] == 0x10:
                    directory = offset
                    break
                return offset, length
        else:
            raise AssertionError(f"{part} of {path} not found")
    raise AssertionError(f"{path} is a directory")


@pytest.mark.parametrize("name", ["cmdline.txt", "loader/entries/gokrazy.conf", "EFI/BOOT/BOOTX64.EFI", "vmlinuz"])
def test_a_device_finds_what_it_edits(volume: Path, name: str) -> None:
    data = volume.read_bytes()
    offset, size = find_as_gokrazy_does(data, name)
    assert data[offset : offset + size] == dict(FILES)[name]


@pytest.mark.parametrize("instance", ["amd", "arm", "rpi"])
def test_the_names_of_real_boot_partitions_survive(tmp_path: Path, reference: Path, instance: str) -> None:
    listing = (reference / f"{instance}-boot.txt").read_text().split()
    names = [line.removeprefix("::/") for line in listing if not line.endswith("/")]
    content = {name: name.encode() * (1 + index % 7 * 100) for index, name in enumerate(names)}
    path = tmp_path / "boot.fat"
    write_fat(path, list(content.items()), mtime=MTIME)
    fat = FatVolume.open(path)
    assert sorted(fat.files()) == sorted(names)
    assert all(fat.read(name) == data for name, data in content.items())
    listed = subprocess.run(
        [need("mdir"), "-/", "-b", "-i", path, "::"], capture_output=True, text=True, check=True
    )
    assert sorted(listed.stdout.split()) == sorted(listing)
    with path.open("r+b") as file:
        file.truncate(100 << 20)  # in its partition
    checked = subprocess.run([need("fsck.fat"), "-n", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_mtools_reads_the_same(volume: Path) -> None:
    for name, content in FILES:
        shown = subprocess.run([need("mtype"), "-i", volume, f"::/{name}"], capture_output=True, check=True)
        assert shown.stdout == content


@pytest.mark.parametrize(
    ("kilobytes", "options"),
    [(1440, ["-f", "1440"]), (20480, ["-T", "40960", "-c", "4"]), (65536, ["-F", "-T", "131072", "-c", "1"])],
    ids=["12 bits", "16 bits", "32 bits"],
)
def test_volumes_of_other_makers_are_read(tmp_path: Path, kilobytes: int, options: list[str]) -> None:
    path = tmp_path / "other.fat"
    with path.open("wb") as file:
        file.truncate(kilobytes * 1024)
    subprocess.run([need("mformat"), "-i", path, *options, "::"], check=True)
    subprocess.run([need("mmd"), "-i", path, "::/loader", "::/loader/entries"], check=True)
    for index, (name, content) in enumerate([FILES[0], FILES[2]]):
        assert isinstance(content, bytes)
        (tmp_path / str(index)).write_bytes(content)
        subprocess.run([need("mcopy"), "-i", path, tmp_path / str(index), f"::/{name}"], check=True)
    fat = FatVolume.open(path)
    assert fat.files() == ["vmlinuz", "loader/entries/gokrazy.conf"]
    assert fat.read("vmlinuz") == FILES[0][1]
    assert fat.read("loader/entries/gokrazy.conf") == FILES[2][1]


@pytest.mark.parametrize(
    "names",
    [
        ["a/../b"],
        ["a:b"],
        ["a\\b"],
        ["tail."],
        ["ä"],
        ["x" * 256],
        ["Same", "sAME"],
        ["dir/x", "dir"],
        ["f", "f/x"],
    ],
)
def test_names_that_fat_cannot_hold_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(ImageError):
        write_fat(tmp_path / "boot.fat", [(name, b"") for name in names], mtime=MTIME)
    assert not (tmp_path / "boot.fat").exists()


def test_too_much_content_is_refused(tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(65525 * CLUSTER)
    with pytest.raises(ImageError, match="more than FAT16 can"):
        write_fat(tmp_path / "boot.fat", [("big", big)], mtime=MTIME)


def test_a_missing_file_is_named_with_what_is_there(volume: Path) -> None:
    with pytest.raises(ImageError) as caught:
        FatVolume.open(volume).read("start4.elf")
    assert "start4.elf" in str(caught.value)
    assert "cmdline.txt" in caught.value.hint


def test_a_loop_in_a_chain_is_found(volume: Path) -> None:
    data = bytearray(volume.read_bytes())
    struct.pack_into("<H", data, 4 * 512 + 2 * 3, 2)  # cluster 3 leads back to 2: within vmlinuz
    with pytest.raises(ImageError, match="loop"):
        FatVolume.open(bytes(data)).read("vmlinuz")


def test_pieces_are_read_but_have_no_extent(volume: Path) -> None:
    data = bytearray(volume.read_bytes())
    fat, clusters = 4 * 512, len(data) // CLUSTER
    entries = list(struct.unpack_from(f"<{clusters}H", data, fat))
    first = data.find(b"#### LoaderInfo") // CLUSTER  # only to be sure that there is data to move
    assert first
    place = FatVolume.open(bytes(data)).extent("vmlinuz").offset
    # Swap the second and third cluster of vmlinuz, in the table and in the data.
    entries[2], entries[4], entries[3] = 4, 3, 5
    struct.pack_into(f"<{clusters}H", data, fat, *entries)
    second, third = place + CLUSTER, place + 2 * CLUSTER
    data[second:third], data[third : third + CLUSTER] = data[third : third + CLUSTER], data[second:third]
    volume_in_pieces = FatVolume.open(bytes(data))
    assert volume_in_pieces.read("vmlinuz") == FILES[0][1]
    with pytest.raises(ImageError, match="in 4 pieces"):
        volume_in_pieces.extent("vmlinuz")


def read_everything(data: bytes) -> None:
    fat = FatVolume.open(data)
    assert fat.used_bytes >= 0
    for name in fat.files():
        fat.read(name)
        try:
            fat.extent(name)
        except ImageError:
            continue


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=30),
    cut=st.one_of(st.none(), st.integers(0, 60000)),
)
def test_any_damage_is_one_clear_error(volume: Path, changes: list[tuple[int, int]], cut: int | None) -> None:
    data = bytearray(volume.read_bytes())
    for offset, value in changes:
        # Most of what can confuse a reader stands in the boot sector.
        offset = offset % 90 if offset % 3 == 0 else offset % len(data)
        data[offset] = value
    try:
        read_everything(bytes(data[:cut]))
    except ImageError:
        return  # that is the one exception it may raise


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=2048))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        read_everything(data)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        st.from_regex(r"[a-z0-9_-]{1,20}(/[a-z0-9_-]{1,12})?(\.[a-z0-9]{1,6}){0,2}", fullmatch=True),
        st.binary(max_size=5000),
        max_size=30,
    )
)
def test_any_files_come_back(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folders = {name.rpartition("/")[0] for name in files}
    wanted = {name: data for name, data in files.items() if name not in folders}
    path = tmp_path_factory.mktemp("any") / "boot.fat"
    places = write_fat(path, list(wanted.items()), mtime=MTIME)
    fat = FatVolume.open(path)
    assert {name: fat.read(name) for name in fat.files()} == wanted
    assert all(fat.extent(name) == places[name] for name in wanted if wanted[name])

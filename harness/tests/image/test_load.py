import gzip
import hashlib
import json
import lzma
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from harness.errors import ImageError
from harness.image import load
from harness.image.copying import copy_sparse
from harness.image.fat import FatVolume
from harness.image.load import image_from_file, load_raw
from harness.image.model import Breakglass, Image, Kernel, Service
from harness.image.squashfs import File, SquashFs, Tree
from harness.image.update_files import update_files
from harness.tests.image import synthetic
from harness.tests.image.synthetic import PASSWORD, STAMP

FOUND = {"github.com/gokrazy/gokrazy": "v0.0.1", "golang.org/x/crypto": "v0.2.0", "std": "go1.26.8"}


@pytest.fixture(scope="module")
def image(small_image: Path) -> Image:
    return load_raw(small_image)


def test_an_image_says_whether_its_file_was_written_to(small_image: Path, tmp_path: Path) -> None:
    # Its holes stay holes: they are most of it.
    copy = load_raw(copy_sparse(small_image, tmp_path / "disk.raw"))
    assert copy.is_intact()
    with copy.path.open("r+b") as file:
        file.seek(copy.layout.boot.offset)
        file.write(b"x")
    assert not copy.is_intact()


def test_everything_a_test_needs_is_read_out_of_the_disk(image: Image, small_image: Path) -> None:
    assert image.path == small_image
    assert image.arch == "amd64"
    assert image.hostname == "amd"
    assert image.build == STAMP
    assert image.kernel == Kernel(
        release="7.1.2",
        modules=("7.1.3",),
        sha256=hashlib.sha256(synthetic.bzimage()).hexdigest(),
        drivers=("simplefb", "virtio-gpu", "virtio_net"),
    )
    assert image.cmdline == synthetic.cmdline("amd").rstrip()
    assert image.perm == "ext4"
    assert (image.http_port, image.https_port, image.tls) == (8080, 8443, False)
    assert image.password == PASSWORD
    assert image.breakglass == Breakglass(
        path="/user/rescue", authorized_keys="/etc/breakglass.authorized_keys", has_keys=True
    )
    assert image.has_serial_shell
    assert image.draws
    assert image.boot_loader.startswith("systemd-boot 252.39-1~deb12u2 (sha256 ")
    assert dict(image.modules) == FOUND
    assert image.services == (
        Service("/gokrazy/dhcp", "github.com/gokrazy/gokrazy/cmd/dhcp"),
        Service("/user/hello", "example.com/hello"),
        Service("/user/rescue", "github.com/gokrazy/breakglass"),
        Service("/user/serial-busybox"),
    )
    assert image.size == small_image.stat().st_size
    assert image.builder == "given"


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (
            {
                "sbom": {
                    "go_packages": [
                        {"BuildInfo": "go\tgo1.26\nmod\ta.test/b\t(devel)\ndep\ta.test/c\tv1.2.3\th1:x=\n"}
                    ]
                }
            },
            {"a.test/c": "v1.2.3"},
        ),
        ({"sbom": {"go_mod_hashes": [{"path": "/x/go.mod", "hash": "00"}]}}, {}),
        ({"sbom": {"go_packages": None}}, {}),
        ("no document", {}),
    ],
)
def test_modules_that_the_programs_do_not_tell_are_read_out_of_the_sbom(
    tmp_path: Path, document: object, found: dict[str, str]
) -> None:
    tree = synthetic.root_tree()
    tree.add("/etc/gokrazy/sbom.json", File(json.dumps(document).encode()))
    image = load_raw(synthetic.write_image(tmp_path / "disk.img", tmp_path, tree=tree))
    assert dict(image.modules) == {**FOUND, **found}


def test_the_password_is_not_shown(image: Image) -> None:
    assert PASSWORD not in repr(image)


def test_update_files_are_what_the_disk_holds(image: Image, tmp_path: Path) -> None:
    files = update_files(image, tmp_path / "update")
    assert files.mbr.stat().st_size == 446
    with image.path.open("rb") as disk:
        assert files.mbr.read_bytes() == disk.read(446)
        disk.seek(image.layout.boot.offset)
        assert disk.read(files.boot.stat().st_size) == files.boot.read_bytes()
    assert FatVolume.open(files.boot).read("cmdline.txt") == synthetic.cmdline("amd").encode()
    root = SquashFs(files.root)
    assert root.read("/etc/hostname") == b"amd"
    assert files.root.stat().st_size == -(-root.bytes_used // 4096) * 4096


def test_the_second_slot_is_read_when_the_command_line_says_so(tmp_path: Path) -> None:
    line = synthetic.cmdline("amd", slot=2)
    path = synthetic.write_image(tmp_path / "disk", tmp_path, line=line)
    with pytest.raises(ImageError, match="there is none at this place"):
        load_raw(path)
    with path.open("r+b") as disk:
        disk.seek(633339904)
        disk.write((tmp_path / "root").read_bytes())
        disk.seek(109051904)
        disk.write(bytes(4096))
    found = load_raw(path)
    assert found.hostname == "amd"
    assert SquashFs(update_files(found, tmp_path / "update").root).read("/etc/hostname") == b"amd"


def test_an_arm64_image(tmp_path: Path) -> None:
    line = synthetic.cmdline("arm").replace("console=ttyS0,115200 ", "")
    path = synthetic.write_image(tmp_path / "disk", tmp_path, hostname="arm", arch="arm64", line=line)
    found = load_raw(path, password="another")
    assert found.password == "another"
    assert found.serves_tcp
    assert found.arch == "arm64"
    assert found.kernel.release == "7.1.3"


def changed(files: dict[str, bytes | None]) -> Tree:
    """The usual root file system with some files replaced or (None) left out."""
    tree = Tree()
    for path, node in synthetic.root_tree().items():
        if path not in files:
            tree.add(path, node)
    for path, content in files.items():
        if content is not None:
            tree.add(path, File(content, 0o755))
    return tree


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (changed({"/gokrazy/init": None}), "no /gokrazy/init"),
        (changed({"/gokrazy/init": b"#!/bin/sh\n"}), "is no program"),
        (changed({"/gokrazy/init": synthetic.elf().replace(b"\x02\0\x3e\0", b"\x02\0\x28\0", 1)}), "for arm"),
        (changed({"/etc/http-port.txt": b"http"}), "no port number but 'http'"),
    ],
)
def test_roots_that_no_board_can_run_are_named(tmp_path: Path, tree: Tree, message: str) -> None:
    path = synthetic.write_image(tmp_path / "disk", tmp_path, tree=tree)
    with pytest.raises(ImageError, match=re.escape(message)):
        load_raw(path)


def test_an_image_without_breakglass_and_password(tmp_path: Path) -> None:
    tree = changed({"/user/rescue": None, "/etc/gokr-pw.txt": None})
    # Its kernel is of no kind that is known here, which is no reason to refuse it.
    path = synthetic.write_image(tmp_path / "disk", tmp_path, tree=tree, kernel=b"strange")
    found = load_raw(path)
    assert found.breakglass is None
    assert found.password is None
    assert not found.serves_tcp
    # init reads no password from anywhere then, so one that is given opens nothing.
    given = load_raw(path, password="another")
    assert given.password is None
    assert any("is not used: the image has no /etc/gokr-pw.txt (NoPassword)" in note for note in given.notes)
    assert found.kernel.release == ""


@pytest.fixture(scope="module")
def packed(image: Image, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The first MiBs of the disk would not do: every wrapping holds the whole disk."""
    folder = tmp_path_factory.mktemp("packed")
    out = {"raw": image.path}
    if shutil.which("qemu-img"):
        out["qcow2"] = folder / "disk.qcow2"
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", image.path, out["qcow2"]], check=True)
        small = out["qcow2"].read_bytes()
        # A wrapping around the qcow2 is as good a test of unpacking as one around the disk, and 100 times smaller.
        out["gzip"] = folder / "disk.qcow2.gz"
        out["gzip"].write_bytes(gzip.compress(small, 1))
        out["xz"] = folder / "disk.qcow2.xz"
        out["xz"].write_bytes(lzma.compress(small, preset=0))
        if shutil.which("zstd"):
            out["zstd"] = folder / "disk.zst"
            subprocess.run(["zstd", "-q", "-1", image.path, "-o", out["zstd"]], check=True)
    return out


@pytest.mark.parametrize("kind", ["raw", "qcow2", "gzip", "xz", "zstd"])
def test_wrapped_images_are_the_same_image(
    image: Image, packed: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    if kind not in packed:
        pytest.skip("qemu-img or zstd is not installed")
    found = image_from_file(packed[kind], work=tmp_path / "work")
    assert found.digest == image.digest
    assert found.services == image.services
    if kind == "raw":
        assert found.path == image.path
    else:
        assert found.path.parent == tmp_path / "work"
        assert [path.name for path in (tmp_path / "work").iterdir()] == [found.path.name]
        assert found.path.stat().st_blocks * 512 < 64 << 20, "it is not sparse"


@pytest.fixture(scope="module")
def archive(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gaf")
    files = update_files(image, folder)
    path = folder / "amd.gaf"
    with zipfile.ZipFile(path, "w") as gaf:
        for file in (files.mbr, files.boot, files.root):
            gaf.write(file, file.name)
        gaf.writestr("sbom.json", "{}")
    return path


def test_an_archive_becomes_the_disk_it_came_from(image: Image, archive: Path, tmp_path: Path) -> None:
    found = image_from_file(archive, work=tmp_path)
    # The image's own /perm was made from the same seed only by chance of this test; all else is equal.
    assert found.layout == image.layout
    assert found.cmdline == image.cmdline
    assert found.perm == "ext4"
    assert found.services == image.services
    assert found.size == image.size
    with found.path.open("rb") as made, image.path.open("rb") as first:
        end = image.layout.root_a.offset + (4 << 20)
        assert made.read(end) == first.read(end)
    assert list(tmp_path.iterdir()) == [found.path]


@pytest.mark.parametrize("absent", ["mbr.img", "boot.img", "root.img"])
def test_an_incomplete_archive_is_named(archive: Path, tmp_path: Path, absent: str) -> None:
    path = tmp_path / "x.gaf"
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(path, "w") as part:
        for name in whole.namelist():
            if name != absent:
                part.writestr(name, whole.read(name))
    with pytest.raises(ImageError, match=f"it has no {absent}"):
        image_from_file(path, work=tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


def test_an_archive_for_another_disk_is_named(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.gaf"
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(path, "w") as part:
        for name in whole.namelist():
            part.writestr(name, bytes(446) if name == "mbr.img" else whole.read(name))
    with pytest.raises(ImageError, match=r"mbr\.img is not for the disk"):
        image_from_file(path, work=tmp_path / "work")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\x1f\x8b\x08garbage" * 10, "gzip"),
        (gzip.compress(bytes(100_000), mtime=0)[:60], "gzip file is damaged or cut off"),
        (gzip.compress(b"", mtime=0), "empty"),
        (gzip.compress(b"hello", mtime=0), "no partition table"),
        (lzma.compress(bytes(range(256)) * 100)[:-40], "cut off"),
        (b"\xfd7zXZ\0 garbage that goes on", "damaged"),
        (b"\x28\xb5\x2f\xfd garbage that goes on", "cannot be unpacked"),
        (b"QFI\xfb" + bytes(600), "qcow2"),
        (b"PK\x03\x04" + bytes(600), "cannot be made into a disk"),
        (b"\x7fELF" + bytes(600), "a program"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "given.img"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=re.escape(message)) as caught:
        image_from_file(path, work=tmp_path / "work")
    assert caught.value.where
    assert caught.value.hint
    work = tmp_path / "work"
    assert not work.exists() or not list(work.glob("*.part"))


def test_a_path_without_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such image"):
        image_from_file(tmp_path / "nope.img", work=tmp_path)
    with pytest.raises(ImageError, match="no regular file"):
        image_from_file(tmp_path, work=tmp_path)


def test_a_qcow2_cannot_read_other_files(tmp_path: Path) -> None:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-img is not installed")
    (tmp_path / "secret").write_bytes(bytes(1 << 20))
    path = tmp_path / "disk.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", tmp_path / "secret", "-F", "raw", path], check=True
    )
    with pytest.raises(ImageError, match="it needs another file"):
        image_from_file(path, work=tmp_path / "work")


@pytest.mark.parametrize(
    ("offset", "magic", "program", "state"),
    [
        (0, b"", "example.com/hello", "blank"),
        (0, b"", "github.com/gokrazy/mkfs", "mkfs"),
        (0, b"", "github.com/gokrazy/mkfs.bcachefs", "mkfs"),
        (0, b"", "github.com/gokrazy/mkfsx", "blank"),
        (1080, b"\x53\xef", "github.com/gokrazy/mkfs", "ext4"),
        (82, b"FAT32   ", "example.com/hello", "other"),
        (4120, bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef"), "github.com/gokrazy/mkfs.bcachefs", "other"),
    ],
)
def test_what_is_on_the_permanent_partition_is_told(
    tmp_path: Path, offset: int, magic: bytes, program: str, state: str
) -> None:
    tree = synthetic.root_tree()
    tree.add("/user/formats", File(synthetic.elf(rest=synthetic.build_info(program)), 0o755))
    disk = synthetic.write_image(tmp_path / "disk.img", tmp_path / "parts", tree=tree, perm="blank")
    place = load_raw(disk).layout.perm
    assert place is not None
    with disk.open("r+b") as file:
        file.seek(place.offset + offset)
        file.write(magic)
    assert load_raw(disk).perm == state


@pytest.mark.parametrize(
    ("flags", "keys"),
    [
        (b"-authorized_keys=/etc/breakglass.authorized_keysand more", "/etc/breakglass.authorized_keys"),
        (b"/etc/breakglass.authorized_keys-authorized_keys-forward", "/etc/breakglass.authorized_keys"),
        (b"-authorized_keys=/perm/breakglass.authorized_keysand more", "/perm/breakglass.authorized_keys"),
        # Where these end cannot be told, and nobody looks at the usual place.
        (b"-authorized_keys=/perm/mine", ""),
        (b"--authorized_keys=ec2and more", ""),
        (b"-forward=loopback", "/perm/breakglass.authorized_keys"),
    ],
)
def test_where_breakglass_looks_for_its_keys_is_told_by_init(tmp_path: Path, flags: bytes, keys: str) -> None:
    tree = synthetic.root_tree()
    init = synthetic.elf(rest=synthetic.build_info("command-line-arguments") + flags)
    tree.add("/gokrazy/init", File(init, 0o755), replace=True)
    image = load_raw(synthetic.write_image(tmp_path / "disk.img", tmp_path / "parts", tree=tree))
    assert image.breakglass is not None
    assert (image.breakglass.authorized_keys, image.breakglass.has_keys) == (keys, keys.startswith("/etc/"))


@pytest.mark.parametrize(
    ("program", "draws"),
    [
        (synthetic.DRAWS, True),
        (b"cannot open /dev/fb%d", True),
        (b"/dev/dri/card0", True),
        (b"/dev/fbsplash /dev/drift /dev/fuse", False),
    ],
)
def test_who_draws_is_told_by_the_name_of_what_it_draws_on(program: bytes, draws: bool) -> None:
    assert (load._SCREEN.search(program) is not None) is draws


@pytest.mark.parametrize("path", ["/usr/local/bin/busybox", "/user/sh", "/user/serial-busybox", ""])
def test_a_shell_is_known_wherever_breakglass_looks_for_one(tmp_path: Path, path: str) -> None:
    whole, tree = synthetic.root_tree(), Tree()
    for name in whole:
        if name != "/user/serial-busybox":
            tree.add(name, whole[name])
    if path:
        tree.add(path, File(synthetic.elf("amd64"), 0o755))
    image = load_raw(synthetic.write_image(tmp_path / "disk.img", tmp_path, tree=tree))
    assert image.has_shell == bool(path)


def test_a_helper_beside_the_programs_is_no_service(tmp_path: Path) -> None:
    tree, paths = synthetic.root_tree(), ("/gokrazy/dhcp", "/user/hello", "/user/rescue", "/user/serial-busybox")
    tree.add("/user/ip", File(synthetic.elf("amd64"), 0o755))
    packed = load_raw(synthetic.write_image(tmp_path / "packed.img", tmp_path, tree=tree))
    assert [service.path for service in packed.services] == [*paths[:2], "/user/ip", *paths[2:]]
    init = synthetic.elf("amd64", rest="and so on".join(paths).encode())
    tree.add("/gokrazy/init", File(init, 0o755), replace=True)
    image = load_raw(synthetic.write_image(tmp_path / "disk.img", tmp_path, tree=tree))
    assert tuple(service.path for service in image.services) == paths

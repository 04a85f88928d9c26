"""The tree of the root file system, and the extra files in it."""

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from harness.build.certificates import Certificate
from harness.build.config import Config, MountDevice, PackageConfig
from harness.build.extrafiles import Extra, configured, of_old_layout, of_package
from harness.build.instance import Instance
from harness.build.odd_extras import notes_on
from harness.build.rootfs import RootParts, root_tree
from harness.build.sbom import sbom
from harness.errors import ConfigError, ImageError
from harness.image.sbom import go_json, modules_of
from harness.image.squashfs import Dir, File, Link, Tree
from harness.tests.image import synthetic

PACKAGE = "example.com/p"


def instance(folder: Path, **fields: Any) -> Instance:
    return Instance(folder, Config(file=folder / "config.json", hostname="vm", **fields), "amd64", password="pw")


def with_package(folder: Path, **settings: Any) -> Instance:
    return instance(folder, package_config={PACKAGE: PackageConfig(**settings)})


def tree(instance: Instance, kernel: Path, extras: Sequence[Extra] = (), **options: Any) -> Tree:
    programs = {"/gokrazy/init": kernel, "/user/p": kernel}
    parts = RootParts(programs, kernel, ca_bundle=b"ca", localtime=b"tz", sbom=b"{}", extras=extras)
    return root_tree(instance, replace(parts, **options))


def archive(members: dict[str, bytes], *, mode: int = 0o755) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("etc/link")
        link.type, link.linkname = tarfile.SYMTYPE, "target"
        tar.addfile(link)
    return out.getvalue()


def test_modes_are_those_of_real_images(tmp_path: Path) -> None:
    made = tree(instance(tmp_path), tmp_path)
    assert made["/etc/gokr-pw.txt"] == File(b"pw", 0o400)
    assert made["/etc/hostname"] == File(b"vm", 0o444)
    assert made["/etc/localtime"] == File(b"tz", 0o644)
    assert made["/gokrazy/init"] == File(tmp_path, 0o755)
    assert made["/var"] == Link("/perm/var")
    assert made["/etc/resolv.conf"] == Link("/tmp/resolv.conf")
    assert made["/perm"] == Dir(0o555)
    assert made["/etc/gokrazy/mountdevices.json"] == File(b"null", 0o444)


def test_without_password_there_is_no_file(tmp_path: Path) -> None:
    bare = Instance(tmp_path, Config(file=tmp_path, hostname="vm"), "amd64")
    assert "/etc/gokr-pw.txt" not in tree(bare, tmp_path)


def test_certificate_and_ports(tmp_path: Path) -> None:
    made = Instance(
        tmp_path,
        Config(file=tmp_path, hostname="vm"),
        "amd64",
        http_port=81,
        https_port=444,
        certificate=Certificate("C", "K"),
    )
    files = tree(made, tmp_path)
    assert files["/etc/ssl/gokrazy-web.pem"] == File(b"C", 0o444)
    assert files["/etc/ssl/gokrazy-web.key.pem"] == File(b"K", 0o444)
    assert files["/etc/http-port.txt"] == File(b"81", 0o444)
    assert files["/etc/https-port.txt"] == File(b"444", 0o444)


def test_targets_of_mounts_directly_under_mnt(tmp_path: Path) -> None:
    devices = (MountDevice("/dev/sdb", "ext4", "/mnt/usb/", "ro"), MountDevice("x", "ext4", "/mnt/a/b", ""))
    made = tree(instance(tmp_path, mount_devices=devices), tmp_path)
    assert made["/mnt/usb"] == Dir()
    assert "/mnt/a" not in made
    listed = made["/etc/gokrazy/mountdevices.json"]
    assert isinstance(listed, File)
    assert isinstance(listed.content, bytes)
    assert json.loads(listed.content)[0] == {
        "Source": "/dev/sdb",
        "Type": "ext4",
        "Target": "/mnt/usb/",
        "Options": "ro",
    }


def test_kernel_modules_without_the_links_of_a_checkout(tmp_path: Path) -> None:
    release = tmp_path / "lib" / "modules" / "7.1.3"
    (release / "kernel").mkdir(parents=True)
    (release / "kernel" / "a.ko").write_bytes(b"ko")
    (release / "modules.dep").touch()
    (release / "build").symlink_to(tmp_path)
    made = tree(instance(tmp_path), tmp_path)
    assert "/lib/modules/7.1.3/kernel/a.ko" in made
    assert "/lib/modules/7.1.3/modules.dep" in made
    assert "/lib/modules/7.1.3/build" not in made


def test_extra_files_keep_their_mode_and_an_empty_one_is_a_folder_as_with_gok(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("ssh")
    (tmp_path / "key.pub").chmod(0o664)
    made = with_package(
        tmp_path,
        extra_file_paths={"/etc/keys": "key.pub", "etc/other": str(tmp_path / "key.pub")},
        extra_file_contents={"/etc/machine-id": "42\n", "/etc/empty": ""},
    )
    files = tree(made, tmp_path, configured(made))
    assert files["/etc/keys"] == File(tmp_path / "key.pub", 0o664)
    assert files["/etc/other"] == File(tmp_path / "key.pub", 0o664)
    assert files["/etc/machine-id"] == File(b"42\n", 0o444)
    assert files["/etc/empty"] == Dir()
    assert list(notes_on(configured(made), "amd64")) == [
        f"an empty file, of which gok makes a folder: /etc/empty of {PACKAGE}"
    ]


@pytest.mark.parametrize("suffix", ["_amd64.tar", ".tar", "_amd64.tar.zst", ".tar.zst"])
def test_extra_files_from_an_archive(tmp_path: Path, suffix: str) -> None:
    data = archive({"usr/bin/tool": b"tool"})
    if suffix.endswith(".zst"):
        data = zstandard.ZstdCompressor().compress(data)
    (tmp_path / f"extra{suffix}").write_bytes(data)
    made = with_package(tmp_path, extra_file_paths={"/opt": "extra"})
    files = tree(made, tmp_path, configured(made))
    assert files["/opt/usr/bin/tool"] == File(b"tool", 0o755)
    assert files["/opt/etc/link"] == Link("target")


def test_the_archive_of_the_architecture_wins(tmp_path: Path) -> None:
    (tmp_path / "extra.tar").write_bytes(archive({"a": b"all"}))
    (tmp_path / "extra_arm64.tar").write_bytes(archive({"a": b"arm64"}))
    (tmp_path / "extra_amd64.tar").write_bytes(archive({"a": b"amd64"}))
    extras = of_package(PACKAGE, tmp_path, "amd64")
    assert extras == []
    (tmp_path / "_gokrazy").mkdir()
    for name in ("extra.tar", "extra_arm64.tar", "extra_amd64.tar"):
        (tmp_path / name).rename(tmp_path / "_gokrazy" / name.replace("extra", "extrafiles"))
    (first, *_) = of_package(PACKAGE, tmp_path, "amd64")
    assert (first.dest, first.node) == ("/a", File(b"amd64", 0o755))


@pytest.mark.parametrize("arch", ["_amd64", ""])
def test_a_packed_archive_wins_over_a_plain_one_as_with_gok(tmp_path: Path, arch: str) -> None:
    (tmp_path / f"extra{arch}.tar").write_bytes(archive({"a": b"plain"}))
    packed = zstandard.ZstdCompressor().compress(archive({"a": b"packed"}))
    (tmp_path / f"extra{arch}.tar.zst").write_bytes(packed)
    first, *_ = configured(with_package(tmp_path, extra_file_paths={"/opt": "extra"}))
    assert first.node == File(b"packed", 0o755)


def test_what_gok_makes_a_folder_of_in_an_archive(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in (("full", b"x"), ("empty", b"")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        again = tarfile.TarInfo("again")
        again.type, again.linkname = tarfile.LNKTYPE, "full"
        tar.addfile(again)
    (tmp_path / "extra.tar").write_bytes(out.getvalue())
    extras = configured(with_package(tmp_path, extra_file_paths={"/opt": "extra"}))
    assert {extra.dest: isinstance(extra.node, Dir) for extra in extras} == {
        "/opt/full": False,
        "/opt/empty": True,
        "/opt/again": True,
    }
    assert sorted(note.split(":")[0] for note in notes_on(extras, "amd64")) == [
        "a hard link in an archive, of which gok makes a folder",
        "an empty file, of which gok makes a folder",
    ]


def test_a_program_for_another_machine_is_named(tmp_path: Path) -> None:
    programs = {"true": synthetic.elf("amd64"), "own": synthetic.elf("arm64"), "script": b"#!/bin/sh\n"}
    for name, content in {**programs, "data": synthetic.elf("amd64"), "blob": synthetic.elf("amd64")}.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o644 if name == "data" else 0o755)
    paths = {f"/bin/{name}": name for name in ("true", "own", "script", "data")}
    paths["/lib/firmware/wifi"] = "blob"
    extras = configured(with_package(tmp_path, extra_file_paths=paths))
    assert list(notes_on(extras, "arm64")) == [
        f"a program for amd64 in an image for arm64, which will not run: /bin/true of {PACKAGE}"
    ]
    many = {f"/bin/{number}": "true" for number in range(7)}
    (note,) = notes_on(configured(with_package(tmp_path, extra_file_paths=many)), "arm64")
    assert note.startswith("programs for amd64 in an image for arm64")
    assert note.endswith(" and 2 more")


def test_extra_files_from_a_folder_follow_links(tmp_path: Path) -> None:
    (tmp_path / "extra" / "sub").mkdir(parents=True)
    (tmp_path / "extra" / "sub" / "file").write_text("x")
    (tmp_path / "extra" / "link").symlink_to("sub/file")
    made = with_package(tmp_path, extra_file_paths={"/opt": "extra"})
    files = tree(made, tmp_path, configured(made))
    assert isinstance(files["/opt/link"], File)
    assert isinstance(files["/opt/sub"], Dir)


def test_the_old_layout_counts_only_without_package_config(tmp_path: Path) -> None:
    (tmp_path / "extrafiles" / PACKAGE / "etc").mkdir(parents=True)
    (tmp_path / "extrafiles" / PACKAGE / "etc" / "x").write_text("x")
    old = replace(instance(tmp_path, packages=(PACKAGE,)), old_layout=True)
    assert "/etc/x" in tree(old, tmp_path, of_old_layout(old))
    assert of_old_layout(with_package(tmp_path)) == []


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"extra_file_paths": {"/etc/x": "nowhere"}}, "is not there"),
        ({"extra_file_contents": {"/perm/x": "x"}}, "belongs to the device"),
        ({"extra_file_contents": {"/etc/../perm/x": "x"}}, "no path for a file"),
        ({"extra_file_contents": {"/": "x"}}, "no path for a file"),
    ],
)
def test_extra_files_that_cannot_be(tmp_path: Path, settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        configured(with_package(tmp_path, **settings))


def test_two_things_at_one_path(tmp_path: Path) -> None:
    made = with_package(tmp_path, extra_file_contents={"/etc/hostname": "x"})
    with pytest.raises((ConfigError, ImageError), match="/etc/hostname"):
        tree(made, tmp_path, configured(made))


def test_json_is_written_as_go_does() -> None:
    assert go_json({"a": "<&>é"}) == '{\n    "a": "\\u003c\\u0026\\u003eé"\n}'
    assert go_json([{"a": 1}], indent=None) == '[{"a":1}]'


def test_the_bill_of_materials_hashes_itself_and_names_no_place(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fELF" + bytes(60) + b"\4\0\0\0\6\0\0\0\4\0\0\0Go\0\0abc/de" + bytes(50))
    (tmp_path / "key").write_text("k")
    extras = [Extra("/etc/key", File(tmp_path / "key", 0o644), PACKAGE, tmp_path / "key")]
    made = sbom(config=b"{}", extras=extras, programs={"/user/p": (binary, "info")}, instance=tmp_path)
    told = json.loads(made)
    assert told["sbom"]["go_packages"] == [{"path": "/user/p", "BuildID": "abc/de", "BuildInfo": "info"}]
    assert told["sbom"]["extra_file_hashes"][0]["path"] == "key"
    assert len(told["sbom_hash"]) == 64
    assert str(tmp_path) not in made.decode()


def test_modules_are_read_from_build_info() -> None:
    info = (
        "go\tgo1.26\npath\ta/cmd\nmod\ta\tv1\th1:x\ndep\tb\tv2\n=>\t./local/b\t(devel)\t\n\n"
        "dep\tc\tv3\n=>\tfork\tv4\th1:y\ndep\td\tv5\n=>\td\tv6\th1:z\n"
    )
    assert modules_of([info]) == {"a": "v1", "b": "(local)", "c": "fork v4", "d": "v6", "std": "go1.26"}
    assert modules_of(["go\t1.26\n"]) == {"std": "go1.26"}, "as runtime/debug prints it"

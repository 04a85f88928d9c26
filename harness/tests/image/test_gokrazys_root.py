"""What is odd in a root file system, and what is not: each row is a root of its own, packed and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.image.gokrazys_root import oddities, own_files, strangers
from harness.image.model import Image, Service
from harness.image.squashfs import Dir, File, Link, Node, SquashFs, Tree, pack
from harness.tests.image.plain import PLAIN

HELLO = "/user/hello"
IMAGE = replace(
    PLAIN,
    builder="own",
    services=(Service("/gokrazy/dhcp"), Service(HELLO)),
    extra_files=("/etc/machine-id", "/usr/local/bin/busybox", "/etc/own", "/etc/own/here.conf"),
)
HEALTHY: dict[str, Node] = {
    **{f"/{name}": Dir() for name in ("bin", "dev", "lib", "mnt", "perm", "proc", "run", "sys", "tmp")},
    "/etc/hostname": File(b"mine"),
    "/etc/hosts": File(b"127.0.0.1 localhost\n::1 localhost\n"),
    "/etc/http-port.txt": File(b"80"),
    "/etc/https-port.txt": File(b"443"),
    "/etc/localtime": File(b"TZif2\0\n", 0o644),
    "/etc/resolv.conf": Link("/tmp/resolv.conf"),
    "/etc/ssl/ca-bundle.pem": File(b"# one\n-----BEGIN CERTIFICATE-----\nAA==\n"),
    "/etc/gokrazy/sbom.json": File(b'{"sbom_hash": "ab", "sbom": {}}'),
    "/etc/gokrazy/mountdevices.json": File(b"null"),
    "/etc/gokr-pw.txt": File(b"pw", 0o400),
    "/etc/machine-id": File(b"6f1d0c5b7a9e4c2f8b3e5d7a9c1f2e4b\n"),
    "/etc/own/here.conf": File(b"x", 0o666),
    "/gokrazy/init": File(b"init", 0o755),
    "/gokrazy/dhcp": File(b"dhcp", 0o755),
    HELLO: File(b"hello", 0o755),
    "/usr/local/bin/busybox": File(b"busybox", 0o755),
    "/lib/modules/7.1.3/kernel/x.ko": File(b"x"),
    "/mnt/data": Dir(),
    "/var": Link("/perm/var"),
}


def packed(folder: Path, nodes: dict[str, Node]) -> SquashFs:
    tree = Tree()
    for path, node in nodes.items():
        tree.add(path, node)
    out = folder / "root.squashfs"
    pack(tree, out, mtime=1)
    return SquashFs(out)


@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        # Of a finished image, nobody knows what it was given.
        replace(IMAGE, builder="given", extra_files=None),
        replace(IMAGE, builder="gok", extra_files=None),
    ],
)
def test_a_healthy_root_has_nothing_odd(image: Image, tmp_path: Path) -> None:
    assert oddities(image, packed(tmp_path, HEALTHY)) == []


LATE = ("/etc/gokrazy/sbom.json", "/etc/gokrazy/mountdevices.json", "/etc/https-port.txt", "/etc/localtime")
"""Files that older packers did not write."""
OLDER: dict[str, Node] = {
    **{path: node for path, node in HEALTHY.items() if path not in (*LATE, "/bin", "/mnt", "/mnt/data", "/var")},
    "/var": Dir(),
}
"""The root of an older packer: no /bin, no /mnt, and a folder where /var is a link now."""
GIVEN = replace(IMAGE, builder="given", extra_files=None)


@pytest.mark.parametrize(
    ("more", "image"),
    [
        ({}, GIVEN),
        # As gokrazy/tools 0344caa packed.
        ({path: HEALTHY[path] for path in ("/etc/gokrazy/sbom.json", "/etc/localtime")}, GIVEN),
        ({}, replace(GIVEN, builder="gok")),
        ({"/bin": Dir(), "/mnt": Dir(), "/var": Link("/perm/var")}, GIVEN),
    ],
)
def test_an_older_packer_wrote_less_and_that_is_not_odd(
    more: dict[str, Node], image: Image, tmp_path: Path
) -> None:
    assert oddities(image, packed(tmp_path, {**OLDER, **more})) == []


def test_what_an_older_packer_left_out_our_own_writes(tmp_path: Path) -> None:
    assert [one.split()[0] for one in oddities(IMAGE, packed(tmp_path, OLDER))] == [
        "/etc/https-port.txt",
        "/etc/localtime",
        "/etc/gokrazy/sbom.json",
        "/etc/gokrazy/mountdevices.json",
        "/var",
        "/bin",
        "/mnt",
    ]


@pytest.mark.parametrize(
    ("change", "odd"),
    [
        (
            {"/etc/gokrazy/mountdevices.json": File(b"null")},
            ["/var is no link to /perm/var", "/bin is no folder", "/mnt is no folder"],
        ),
        ({"/bin": File(b"")}, ["/bin is no folder"]),
        ({"/var": Link("/tmp")}, ["/var is no link to /perm/var"]),
        ({"/etc/resolv.conf": Dir()}, ["/etc/resolv.conf is no link to /tmp/resolv.conf"]),
    ],
)
def test_what_no_packer_made_is_odd_of_an_older_one_too(
    change: dict[str, Node], odd: list[str], tmp_path: Path
) -> None:
    assert oddities(GIVEN, packed(tmp_path, {**OLDER, **change})) == odd


def test_an_instance_may_bring_its_own_file_in_place_of_gokrazys(tmp_path: Path) -> None:
    extras = (*(IMAGE.extra_files or ()), "/etc/hosts", "/etc/resolv.conf")
    other = {
        **HEALTHY,
        "/etc/hosts": File(b"10.0.0.1 nas\n", 0o644),
        "/etc/resolv.conf": File(b"nameserver"),
    }
    assert oddities(replace(IMAGE, extra_files=extras), packed(tmp_path, other)) == []


@pytest.mark.parametrize(
    ("change", "odd"),
    [
        ({"/etc/shadow": File(b"root::")}, "/etc/shadow is there, and neither gokrazy nor the instance brings it"),
        ({"/user/sh": File(b"x", 0o755)}, "/user/sh is there, and neither gokrazy nor the instance brings it"),
        ({"/bin/sh": File(b"x", 0o755)}, "/bin/sh is there, and neither gokrazy nor the instance brings it"),
        ({"/gokrazy/sshd": File(b"x", 0o755)}, "/gokrazy/sshd is there, and neither gokrazy nor"),
        ({HELLO: File(b"x", 0o4755)}, f"{HELLO} runs with the rights of its owner or group (mode 4755)"),
        ({HELLO: File(b"x", 0o644)}, f"{HELLO} is no program that can be started (mode 0644)"),
        ({"/etc/gokr-pw.txt": File(b"pw", 0o444)}, "/etc/gokr-pw.txt has mode 0444, and not 0400"),
        ({"/etc/hosts": File(b"10.0.2.2 localhost\n")}, "/etc/hosts does not have the content"),
        ({"/etc/hostname": File(b"other")}, "/etc/hostname does not have the content"),
        ({"/etc/http-port.txt": File(b"8080")}, "/etc/http-port.txt does not have the content"),
        ({"/etc/localtime": File(b"Europe")}, "/etc/localtime does not have the content"),
        ({"/etc/ssl/ca-bundle.pem": File(b"")}, "/etc/ssl/ca-bundle.pem does not have the content"),
        ({"/etc/resolv.conf": Link("/perm/resolv.conf")}, "/etc/resolv.conf is no link to /tmp/resolv.conf"),
        ({"/var": Dir()}, "/var is no link to /perm/var"),
        ({"/etc/machine-id": File(b"uninitialized\n")}, "/etc/machine-id is not 32 hexadecimal digits"),
        ({"/etc/gokrazy/sbom.json": File(b"{")}, "/etc/gokrazy/sbom.json is no JSON"),
        ({"/etc/gokrazy/sbom.json": File(b"{}")}, "/etc/gokrazy/sbom.json has no sbom_hash"),
        ({"/etc": Dir(0o777)}, "/etc may be written by others (mode 0777)"),
        ({"/perm": File(b"")}, "/perm is no folder"),
        ({"/gokrazy/dhcp": None}, "/gokrazy/dhcp is missing"),
        ({"/etc/hosts": None}, "/etc/hosts is missing"),
    ],
)
def test_what_is_odd_is_said_alone(change: dict[str, Node | None], odd: str, tmp_path: Path) -> None:
    nodes = {path: node for path, node in {**HEALTHY, **change}.items() if node is not None}
    (found,) = oddities(IMAGE, packed(tmp_path, nodes))
    assert found.startswith(odd)


def test_a_finished_image_is_not_blamed_for_what_may_be_an_extra_file(tmp_path: Path) -> None:
    image = replace(IMAGE, builder="given", extra_files=None)
    more: dict[str, Node] = {
        "/etc/containers/policy.json": File(b"{}"),
        "/usr/bin/newuidmap": File(b"x", 0o4755),
        "/bin/sh": File(b"x", 0o755),
    }
    assert oddities(image, packed(tmp_path, {**HEALTHY, **more})) == []
    (found,) = oddities(image, packed(tmp_path, {**HEALTHY, HELLO: File(b"x", 0o4755)}))
    assert "4755" in found
    assert strangers(image, ["/etc/shadow"]) == []


def test_a_password_and_a_certificate_are_expected_where_the_image_has_them() -> None:
    def paths(image: Image) -> set[str]:
        return {one.path for one in own_files(image)}

    assert "/etc/gokr-pw.txt" in paths(IMAGE)
    assert "/etc/gokr-pw.txt" not in paths(replace(IMAGE, password=None))
    assert paths(replace(IMAGE, tls=True)) - paths(IMAGE) == {
        "/etc/ssl/gokrazy-web.pem",
        "/etc/ssl/gokrazy-web.key.pem",
    }

"""The bill of materials: what it says, and each way in which it can be untrue."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from harness.image.gobinary import build_id, build_info
from harness.image.sbom import PLACE, go_json, hash_of, read_sbom
from harness.image.sbom_check import troubles_in

INFO = "go\tgo1.26.8\npath\ta/cmd/p\nmod\ta\tv1\th1:x\ndep\tb\tv2\th1:y\nbuild\tGOOS=linux\n"
KEY = b"ssh-ed25519 key"
SERVICES = ("/user/p",)


def program(info: str = INFO, build: bytes = b"abc/def") -> bytes:
    """As much of a Go program as says what it was built from."""
    version, lines = info.split("\n", 1)
    head = b"\x7fELF\x02\x01\x01".ljust(18, b"\0") + struct.pack("<H", 183)
    note = struct.pack("<III", 4, len(build), 4) + b"Go\0\0" + build
    body = (head + note).ljust(256, b"\0") + b"\xff Go buildinf:" + b"\x08\x02" + bytes(16)

    def text(content: bytes) -> bytes:
        size = len(content)
        return bytes([size & 0x7F | 0x80, size >> 7]) + content

    return body + text(version.removeprefix("go\t").encode()) + text(b"<" * 16 + lines.encode() + b">" * 16)


def content(**changes: Any) -> dict[str, Any]:
    return {
        "config_hash": {"path": "config.json", "hash": "00"},
        "extra_file_hashes": [{"path": "key.pub", "hash": hashlib.sha256(KEY).hexdigest()}],
        "go_packages": [{"path": "/user/p", "BuildID": "abc/def", "BuildInfo": INFO}],
        **changes,
    }


def document(said: dict[str, Any] | None = None, **changes: Any) -> str:
    inner = content(**changes) if said is None else said
    return go_json({"sbom_hash": hash_of(inner), "sbom": inner}) + "\n"


def tree(folder: Path, bill: str | None, **more: bytes) -> dict[str, Path]:
    files = {"/user/p": program(), "/etc/key": KEY, "/gokrazy/init": program(build=b"init")}
    files |= {f"/user/{name}": data for name, data in more.items()}
    if bill is not None:
        files[PLACE] = bill.encode()
    made = {}
    for number, (path, data) in enumerate(files.items()):
        made[path] = folder / str(number)
        made[path].write_bytes(data)
    return made


def test_what_is_made_here_is_read_as_a_go_program() -> None:
    assert build_id(program()) == "abc/def"
    assert build_info(program()).modules == {"a": "v1", "b": "v2"}


def test_a_true_bill_has_no_trouble(tmp_path: Path) -> None:
    bill = read_sbom(document())
    assert bill.hash == bill.computed
    assert bill.modules == {"a": "v1", "b": "v2", "std": "go1.26.8"}
    assert troubles_in(tree(tmp_path, document()), SERVICES) == []


def test_the_forms_of_older_and_newer_versions_of_gok_are_read(tmp_path: Path) -> None:
    older = {key: value for key, value in content().items() if key != "go_packages"}
    older["go_mod_hashes"] = [{"path": "/x/go.mod", "hash": "00"}]
    assert read_sbom(document(older)).programs is None
    assert troubles_in(tree(tmp_path, document(older)), SERVICES) == []
    packages = [{"module_path": "k", "version": "", "file_hashes": [{"path": "vmlinuz", "hash": "00"}]}]
    newer = read_sbom(document(system_packages=packages))
    assert newer.packages[0].files[0].path == "vmlinuz"
    assert newer.modules["k"] == ""
    assert newer.hash == newer.computed


UNTRUE = {
    "none": (None, "there is no /etc/gokrazy/sbom.json"),
    "cut short": (document()[:200], "is no JSON"),
    "something else": ("{}", "is not as gok writes it"),
    "a number for a text": (document(config_hash={"path": 1, "hash": "0"}), "is not as gok writes it"),
    "another hash": (document().replace(hash_of(content()), "0" * 64), "says that its hash is 0000"),
    "another content": (document().replace('"hash": "00"', '"hash": "01"'), "what it contains has the hash"),
    "no program": (document(go_packages=None), "does not name /user/p"),
    "a program that is not there": (
        document(go_packages=[*content()["go_packages"], {"path": "/user/q", "BuildID": "", "BuildInfo": ""}]),
        "names /user/q, which is not there",
    ),
    "another build": (
        document(go_packages=[{"path": "/user/p", "BuildID": "other", "BuildInfo": INFO}]),
        "with the build id other",
    ),
    "another module": (
        document(go_packages=[{"path": "/user/p", "BuildID": "abc/def", "BuildInfo": INFO.replace("v2", "v3")}]),
        "with other modules than the program has",
    ),
    "another extra file": (
        document(extra_file_hashes=[{"path": "key.pub", "hash": "00"}]),
        "names the extra file key.pub",
    ),
}


@pytest.mark.parametrize("case", UNTRUE)
def test_what_is_untrue_is_found(case: str, tmp_path: Path) -> None:
    bill, says = UNTRUE[case]
    found = troubles_in(tree(tmp_path, bill), SERVICES)
    assert len(found) == 1, found
    assert says in found[0]


def test_a_service_must_be_named_and_a_script_need_not(tmp_path: Path) -> None:
    files = tree(tmp_path, document(), script=b"#!/bin/sh\n", more=program())
    services = (*SERVICES, "/user/script", "/user/more", "/user/lost")
    assert troubles_in(files, services) == ["it does not name /user/more, which is there"]


def test_a_program_that_is_there_for_others_need_not_be_named(tmp_path: Path) -> None:
    assert troubles_in(tree(tmp_path, document(), ffmpeg=program()), SERVICES) == []


def test_the_hash_is_that_of_the_text_as_go_writes_it() -> None:
    said = json.loads(document(go_packages=[{"path": "/user/<&>", "BuildID": "é", "BuildInfo": "a\tb\n"}]))
    assert "\\u003c\\u0026\\u003e" in go_json(said)
    assert read_sbom(go_json(said)).computed == said["sbom_hash"]

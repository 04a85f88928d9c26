"""Fields that gok does not act upon are named, and change nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.build.instance import Instance, load_instance

BASE: dict[str, Any] = {"Hostname": "vm", "Packages": ["a/b"]}


def load(tmp_path: Path, **fields: Any) -> Instance:
    (tmp_path / "config.json").write_text(
        json.dumps({**BASE, "Update": {"HTTPPassword": "pw"}, **fields}, indent=1)
    )
    return load_instance(tmp_path, environ={"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"PackageConfig": {"a/b": {"WaitFor": ["net-route"]}}}, '$.PackageConfig["a/b"].WaitFor'),
        ({"PackageConfig": {"a/b": {"Capabilities": "cap_net_raw+ep"}}}, '$.PackageConfig["a/b"].Capabilities'),
        ({"InternalCompatibilityFlags": {"OverwriteInit": "x"}}, "$.InternalCompatibilityFlags.OverwriteInit"),
    ],
)
def test_a_field_is_named_with_its_place(tmp_path: Path, fields: dict[str, Any], path: str) -> None:
    (note,) = load(tmp_path, **fields).notes
    name = path.rsplit(".", 1)[1]
    line = int(note.split(":")[1].split(" ")[0])
    assert f"({path})" in note
    assert f'"{name}"' in (tmp_path / "config.json").read_text().splitlines()[line - 1]
    assert "ignore" in note


def test_a_certificate_in_config_json_is_not_served(tmp_path: Path) -> None:
    given = {"HTTPPassword": "pw", "CertPEM": "not even a certificate", "KeyPEM": "secret"}
    instance = load(tmp_path, Update=given)
    assert instance.certificate is None
    assert [note.split("gok ignores ")[1].split(",")[0] for note in instance.notes] == ["CertPEM", "KeyPEM"]
    assert not any("secret" in note for note in instance.notes)


def test_a_self_signed_one_is_served_whatever_config_json_holds(tmp_path: Path) -> None:
    given = {"HTTPPassword": "pw", "CertPEM": "x", "KeyPEM": "y", "UseTLS": "self-signed"}
    instance = load(tmp_path, Update=given)
    assert instance.certificate is not None
    assert instance.certificate.cert.startswith("-----BEGIN CERTIFICATE-----")


def test_nothing_is_said_of_an_instance_without_them(tmp_path: Path) -> None:
    assert load(tmp_path, PackageConfig={"a/b": {"WaitFor": [], "Capabilities": ""}}).notes == ()

"""config.json is read as gokrazy reads it, and every error says where."""

from pathlib import Path

import pytest

from harness.build.config import Config, read_config
from harness.errors import ConfigError


def config(folder: Path, text: str) -> Config:
    file = folder / "config.json"
    file.write_text(text, encoding="utf-8")
    return read_config(file)


def test_a_real_config(reference: Path) -> None:
    read = read_config(reference / "rpi-config.json")
    assert read.hostname == "rpi"
    assert read.env == {"GOOS": "linux", "GOARCH": "arm64"}
    assert read.eeprom_package == "github.com/gokrazy/rpi-eeprom"
    assert read.package("github.com/gokrazy/breakglass").command_line_flags == (
        "-authorized_keys=/etc/breakglass.authorized_keys",
    )
    assert read.warnings == ()


def test_what_is_unset_or_null_has_gokrazys_default(tmp_path: Path) -> None:
    read = config(
        tmp_path, '{"Hostname": "a", "KernelPackage": null, "FirmwarePackage": "", "GokrazyPackages": []}'
    )
    assert read.kernel_package == "github.com/gokrazy/kernel.rpi"
    assert read.firmware_package == ""
    assert read.eeprom_package == "github.com/gokrazy/rpi-eeprom"
    assert read.gokrazy_packages == ()
    assert read.mount_devices is None


def test_names_match_without_regard_to_case(tmp_path: Path) -> None:
    read = config(tmp_path, '{"HOSTNAME": "a", "update": {"httpport": "8080"}}')
    assert (read.hostname, read.update.http_port, read.warnings) == ("a", "8080", ())


def test_an_unknown_field_is_named_with_what_was_meant(tmp_path: Path) -> None:
    read = config(tmp_path, '{"Hostname": "a",\n "Packges": [],\n "PackageConfig": {"x": {"DontSart": true}}}')
    first, second = read.warnings
    assert "config.json:2 ($.Packges)" in first
    assert "did you mean Packages?" in first
    assert "config.json:3 ($.PackageConfig.x.DontSart)" in second
    assert "did you mean DontStart?" in second


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('{"Hostname": "a",\n "Update": {"HTTPPort": 80}}', ":2 ($.Update.HTTPPort)", "a string is expected"),
        ('{"Hostname": "a",\n "Update": {"HTTPPort": "http"}}', ":2 ($.Update.HTTPPort)", "no a port"),
        ('{"Hostname": "a",\n\n "Update": {"HTTPSPort": "70000"}}', ":3 ($.Update.HTTPSPort)", "no a port"),
        ('{"Hostname": "a",\n // why\n "Packages": []}', ":2 ($)", "this is a comment"),
        ('{"Hostname": "a",\n "Packages": ["x",\n ]}', ":2 ($.Packages)", "a comma stands after the last value"),
        ('{"Hostname": "a",\n}', ":1 ($)", "a comma stands after the last value"),
        ('{"Hostname": "a",\n "Environment": ["GOOS=linux",\n "GOARCH"]}', ":3 ($.Environment[1])", "key=value"),
        ('{"Hostname": "a", "Packages": "x"}', ":1 ($.Packages)", "an array of strings is expected"),
        ('{"Hostname": "a", "Packages": ["x@v1"]}', ":1 ($.Packages[0])", "not a Go import path"),
        ('{"Hostname": "a", "Update": {"UseTLS": "yes"}}', ":1 ($.Update.UseTLS)", "UseTLS"),
        ('{"Hostname": "a", "Update": {"NoPassword": "no"}}', ":1 ($.Update.NoPassword)", "true or false"),
        (
            '{"Hostname": "a", "InternalCompatibilityFlags": {"TargetStorageBytes": 1.5}}',
            ":1 ($.InternalCompatibilityFlags.TargetStorageBytes)",
            "a whole number",
        ),
        (
            '{"Hostname": "a", "PackageConfig": {"a/b": {"ExtraFilePaths": ["x"]}}}',
            ':1 ($.PackageConfig["a/b"].ExtraFilePaths)',
            "an object of strings",
        ),
        (
            '{"Hostname": "a",\n "PackageConfig": {"a/b": {\n "Environment": ["secret"]}}}',
            ':3 ($.PackageConfig["a/b"].Environment[0])',
            "key=value",
        ),
        ('{"Packages": []}', ":1 ($)", "Hostname is missing"),
        ('{"Hostname": "a b"}', ":1 ($.Hostname)", "not a host name"),
        ('{"Hostname": "a"', ":1 ($.Hostname)", "',' or '}' is expected"),
        ('{"Hostname": "a"} x', ":1 ($)", "after the end"),
        ("", ":1 ($)", "a value is expected"),
        ("\ufeff{}", ":1 ($)", "byte order mark"),
    ],
)
def test_errors_say_where(tmp_path: Path, text: str, where: str, what: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config(tmp_path, text)
    assert raised.value.where == f"{tmp_path / 'config.json'}{where}"
    assert what.replace("no a port", "is not a port number") in raised.value.what


def test_secrets_are_in_no_representation_and_no_error(tmp_path: Path) -> None:
    text = '{"Hostname": "a", "Update": {"HTTPPassword": "hush", "KeyPEM": "hush"}}'
    assert "hush" not in repr(config(tmp_path, text))
    with pytest.raises(ConfigError) as raised:
        config(tmp_path, '{"Hostname": "a", "PackageConfig": {"p": {"Environment": ["hush"]}}}')
    assert "hush" not in str(raised.value)


def test_a_line_is_remembered_for_every_field(tmp_path: Path) -> None:
    read = config(tmp_path, '{\n "Hostname": "a",\n "devicetype": "rock64"\n}')
    assert read.where("$.DeviceType") == f"{tmp_path / 'config.json'}:3 ($.DeviceType)"

"""The text files from before PackageConfig are read as gok reads them."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.build.config import PackageConfig
from harness.build.instance import Instance, load_instance
from harness.errors import ConfigError

PACKAGE = "example.com/x/cmd/p"


def load(tmp_path: Path, **fields: Any) -> Instance:
    config = {"Hostname": "vm", "Packages": [PACKAGE], "Update": {"HTTPPassword": "pw"}, **fields}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return load_instance(tmp_path, environ={"HOME": str(tmp_path)})


def write(tmp_path: Path, kind: str, text: str, package: str = PACKAGE) -> None:
    folder = tmp_path / kind / package
    folder.mkdir(parents=True)
    (folder / f"{kind}.txt").write_text(text)


def test_each_kind_of_file(tmp_path: Path) -> None:
    write(tmp_path, "flags", "-a=1\n\n-b\n")
    write(tmp_path, "buildflags", "-ldflags=-s\n\n-race\n")
    write(tmp_path, "buildtags", "one\ntwo\n")
    write(tmp_path, "env", "A=1\nB=2\n")
    write(tmp_path, "dontstart", "")
    write(tmp_path, "waitforclock", "", "github.com/gokrazy/gokrazy/cmd/ntp")
    config = load(tmp_path).config
    assert config.package(PACKAGE) == PackageConfig(
        # gok keeps the blank line among flags, and leaves it out among build flags.
        command_line_flags=("-a=1", "", "-b"),
        go_build_flags=("-ldflags=-s", "-race"),
        go_build_tags=("one", "two"),
        environment=("A=1", "B=2"),
        dont_start=True,
    )
    assert config.package("github.com/gokrazy/gokrazy/cmd/ntp") == PackageConfig(wait_for_clock=True)


def test_they_count_only_without_package_config(tmp_path: Path) -> None:
    write(tmp_path, "flags", "-a\n")
    instance = load(tmp_path, PackageConfig={PACKAGE: {"DontStart": True}})
    assert instance.config.package(PACKAGE) == PackageConfig(dont_start=True)
    assert not instance.old_layout
    assert load(tmp_path, PackageConfig={}).config.package(PACKAGE).command_line_flags == ("-a",)


def test_a_file_of_no_package_is_named(tmp_path: Path) -> None:
    write(tmp_path, "flags", "-a\n", "example.com/other")
    instance = load(tmp_path)
    assert instance.config.package_config == {}
    assert instance.old_layout
    assert instance.notes == ("flags/example.com/other/flags.txt is of no package of the instance, and ignored",)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    write(tmp_path, "env", "")
    (tmp_path / "env" / PACKAGE / "env.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"env\.txt cannot be read"):
        load(tmp_path)

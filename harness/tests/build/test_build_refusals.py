"""What no builder can make is refused, and options that make no sense are named."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.build.build import BuildRequest, build
from harness.build.cache import Cache
from harness.build.inputs import folder_digest, parse_kernel
from harness.build.instance import load_instance
from harness.errors import ConfigError, OptionError

BASE: dict[str, Any] = {
    "Hostname": "vm",
    "Update": {"HTTPPassword": "pw"},
    "Environment": ["GOARCH=amd64"],
    "KernelPackage": "github.com/gokrazy/kernel.amd64",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "vm"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(BASE, indent=1))
    return folder


def run(folder: Path, **options: Any) -> None:
    with Cache(folder.parent / "cache") as cache:
        build(
            BuildRequest(folder, builder="own", **options),
            cache=cache,
            environ={"HOME": str(folder.parent), "PATH": "/usr/bin:/bin"},
        )


def test_a_device_type_that_nobody_knows(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**BASE, "DeviceType": "rock65"}, indent=1))
    with pytest.raises(ConfigError, match="knows no DeviceType 'rock65'") as raised:
        run(folder)
    assert raised.value.where.endswith("($.DeviceType)")
    assert "rock64" in raised.value.hint


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"kernel": "github.com/gokrazy/kernel.amd64"}, "no kernel can be made of"),
        ({"kernel": "./nowhere"}, "no kernel can be made of"),
        ({"kernel": "/tmp"}, "has no vmlinuz"),
    ],
)
def test_options_that_make_no_sense(folder: Path, options: dict[str, Any], what: str) -> None:
    with pytest.raises(OptionError, match=what):
        run(folder, **options)


def test_a_kernel_folder_for_another_architecture(folder: Path, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    (kernel / "vmlinuz").write_bytes(b"MZ".ljust(0x38, b"\0") + b"ARMd")
    with pytest.raises(ConfigError, match="is one for arm64"):
        run(folder, kernel=str(kernel))


def test_a_kernel_folder_or_a_version(folder: Path, tmp_path: Path) -> None:
    instance = load_instance(folder, environ={"HOME": str(tmp_path)})
    (tmp_path / "k").mkdir()
    (tmp_path / "k" / "vmlinuz").touch()
    kernel, version = parse_kernel(str(tmp_path / "k"), instance)
    assert (kernel.package, kernel.folder, version) == ("github.com/gokrazy/kernel.amd64", tmp_path / "k", "")
    kernel, version = parse_kernel("github.com/rtr7/kernel@latest", instance)
    assert (kernel.package, kernel.folder, version) == ("github.com/rtr7/kernel", None, "latest")


def test_a_folders_digest_sees_names_modes_and_contents_but_not_version_control(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    seen = {folder_digest(tmp_path)}
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("x")
    assert folder_digest(tmp_path) in seen
    (tmp_path / "a").write_text("2")
    seen.add(folder_digest(tmp_path))
    (tmp_path / "a").chmod(0o755)
    seen.add(folder_digest(tmp_path))
    (tmp_path / "a").rename(tmp_path / "b")
    seen.add(folder_digest(tmp_path))
    assert len(seen) == 4

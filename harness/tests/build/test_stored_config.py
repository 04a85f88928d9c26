"""config.json as gok stores it: by hand, and by gokrazy's own code where Go and its module are here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.build.config import read_config
from harness.build.stored_config import stored_config
from harness.package_data import images_folder

INTERNAL = "v0.0.0-20260625065634-6994f9152c44"
ODD: dict[str, Any] = {
    "packages": None,
    "HOSTNAME": "first",
    "Hostname": "odd",
    "Environment": ["GOARCH=amd64", "A=<&>"],
    "FirmwarePackage": "",
    "EEPROMPackage": None,
    "GokrazyPackages": [],
    "KernelExtraArgs": [],
    "MountDevices": [{"Source": "/dev/vdb", "Unknown": 1}, {}],
    "PackageConfig": {
        "z/y": {"DontStart": False, "WaitForClock": True},
        "a/b": {"ExtraFileContents": {"/é": "\u2028"}},
    },
    "InternalCompatibilityFlags": {"TargetStorageBytes": 17179869184, "Testboot": False},
    "Typo": {"deep": [1]},
}
PRINTS = """package main

import (
	"fmt"
	"os"

	"github.com/gokrazy/internal/config"
)

func main() {
	for _, name := range os.Args[1:] {
		cfg, err := config.ReadFromFile(name, "instance")
		if err != nil {
			panic(err)
		}
		made, err := cfg.FormatForFile()
		if err != nil {
			panic(err)
		}
		if err := os.WriteFile(name+".gok", made, 0o644); err != nil {
			panic(err)
		}
	}
	fmt.Print("done")
}
"""


def stored(folder: Path, content: object) -> dict[str, Any]:
    (folder / "config.json").write_text(json.dumps(content))
    made: dict[str, Any] = json.loads(stored_config(read_config(folder / "config.json")))
    return made


def test_what_is_unknown_or_empty_is_gone_and_what_gokrazy_adds_is_there(tmp_path: Path) -> None:
    made = stored(tmp_path, ODD)
    assert list(made) == [
        *("Hostname", "Update", "Environment", "Packages", "PackageConfig", "GokrazyPackages", "FirmwarePackage"),
        *("MountDevices", "InternalCompatibilityFlags"),
    ]
    assert made["Hostname"] == "odd"
    assert made["Packages"] is None
    assert made["Update"] == {}
    assert made["MountDevices"][1] == {"Source": "", "Type": "", "Target": "", "Options": ""}
    assert list(made["PackageConfig"]) == ["a/b", "z/y"]
    assert made["PackageConfig"]["z/y"] == {"WaitForClock": True}


def test_gokrazy_s_own_code_writes_the_same_bytes(tmp_path: Path) -> None:
    go = shutil.which("go")
    # By this name it may import what is internal to github.com/gokrazy.
    (tmp_path / "go.mod").write_text(
        f"module github.com/gokrazy/stored\n\ngo 1.22\n\nrequire github.com/gokrazy/internal {INTERNAL}\n"
    )
    (tmp_path / "main.go").write_text(PRINTS)
    files = []
    (tmp_path / "odd.json").write_text(json.dumps(ODD))
    for number, one in enumerate([tmp_path / "odd.json", *sorted(images_folder().glob("**/config.json"))]):
        files.append(tmp_path / f"{number}.json")
        shutil.copy(one, files[-1])
    if go is None:
        pytest.skip("Go is not on this machine")
    environment = {**os.environ, "GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOSUMDB": "off", "GONOSUMCHECK": "1"}
    done = subprocess.run(
        [go, "run", ".", *map(str, files)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    if "GOPROXY=off" in done.stderr or "not found" in done.stderr:
        pytest.skip(f"the module github.com/gokrazy/internal@{INTERNAL} is not on this machine")
    assert done.stdout == "done", done.stderr
    for file in files:
        assert stored_config(read_config(file)) == file.with_name(f"{file.name}.gok").read_bytes(), (
            file.read_text()
        )

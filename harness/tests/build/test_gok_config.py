"""What gok is given leads it to a device at a forwarded port, by the code with which gok finds its target."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from harness.appliance.gok_config import GokConfig, Reached
from harness.build.go import GoToolchain
from harness.errors import OptionError
from harness.image.arch import of_machine
from harness.lab.gok_config import gok_config
from harness.package_data import images_folder
from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice

PINS = images_folder() / "hello-amd64" / "builddir"
# gokrazy's own packages may be imported below its own path only.
MODULE = "github.com/gokrazy/gokharness"
ASKS = """package main

import (
	"fmt"
	"log"
	"os"

	"github.com/gokrazy/internal/config"
	"github.com/gokrazy/internal/httpclient"
	"github.com/gokrazy/internal/updateflag"
)

func main() {
	cfg, err := config.ReadFromFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	target := "yes"
	if flags := cfg.InternalCompatibilityFlags; flags != nil && flags.Update != "" && os.Args[2] == "builds" {
		target = flags.Update
	}
	client, _, url, err := httpclient.For(updateflag.Value{Update: target}, cfg)
	if err != nil {
		log.Fatal(err)
	}
	answer, err := client.Get(url.String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.StatusCode, cfg.Hostname)
}
"""


@pytest.fixture
def fake() -> Iterator[FakeDevice]:
    fake = FakeDevice()
    yield fake
    fake.close()


def written(fake: FakeDevice, folder: Path, instance: str = "hello-arm64") -> GokConfig:
    return gok_config(str(images_folder() / instance), Reached(fake.url, PASSWORD, folder / "gok"))


def test_what_builds_keeps_the_ports_of_the_image_and_what_talks_has_those_of_this_host(
    fake: FakeDevice, tmp_path: Path
) -> None:
    made = written(fake, tmp_path)
    builds, talks = (json.loads((one / "config.json").read_text()) for one in (made.builds, made.talks))
    original = json.loads((images_folder() / "hello-arm64" / "config.json").read_text())
    assert builds["Update"] == original["Update"]
    assert builds["InternalCompatibilityFlags"]["Update"].endswith(f"@127.0.0.1:{fake.port}/")
    assert talks["Update"]["HTTPPort"] == str(fake.port)
    assert builds["Hostname"] == talks["Hostname"] == original["Hostname"]
    assert (made.builds / "builddir" / "go.mod").is_file()
    # Its replace directives lead where those of the instance do.
    assert (made.builds / "../programs/go.mod").is_file()
    assert {(one / "config.json").stat().st_mode & 0o777 for one in (made.builds, made.talks)} == {0o600}


def test_the_command_names_the_copy_that_the_verb_needs(fake: FakeDevice, tmp_path: Path) -> None:
    made = written(fake, tmp_path)
    parents = {verb: made.command(verb)[2] for verb in ("update", "sbom", "logs", "ps", "run")}
    assert parents == {
        **dict.fromkeys(("update", "sbom"), str(made.builds.parent)),
        **dict.fromkeys(("logs", "ps", "run"), str(made.talks.parent)),
    }
    assert made.command("logs", "-s", "hello")[3:] == ["-i", "hello-arm64", "logs", "-s", "hello"]


def test_a_finished_image_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.touch()
    with pytest.raises(OptionError, match="runs a finished image"):
        gok_config(str(image), Reached("http://127.0.0.1:1", "", tmp_path / "gok"))


@pytest.fixture(scope="module")
def asks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that finds its target as gok does, and asks it for its front page."""
    folder = tmp_path_factory.mktemp("asks")
    text = (PINS / "go.mod").read_text("utf-8")
    pinned = [
        line.strip()
        for line in text.splitlines()
        if line.startswith(("\tgithub.com/gokrazy/internal ", "\tgithub.com/spf13"))
    ]
    (folder / "go.mod").write_text(
        "\n".join([f"module {MODULE}", "", "go 1.24.0", *(f"require {one}" for one in pinned), ""])
    )
    shutil.copy(PINS / "go.sum", folder / "go.sum")
    (folder / "main.go").write_text(ASKS)
    host = of_machine(platform.machine())
    assert host is not None
    GoToolchain.find(arch=host, build_env={}).build_in_place(folder, ".", folder / "asks")
    return folder / "asks"


@pytest.mark.parametrize("how", ["builds", "talks"])
def test_gokrazys_own_code_reaches_the_device_by_it(
    fake: FakeDevice, tmp_path: Path, asks: Path, how: Literal["builds", "talks"]
) -> None:
    config = getattr(written(fake, tmp_path), how) / "config.json"
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "PATH": "/usr/bin"}
    done = subprocess.run([asks, config, how], env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout == "200 hello-arm64\n", done.stderr
    assert [request[:2] for request in fake.requests] == [("GET", "/")]


def test_the_instance_itself_does_not_lead_there(fake: FakeDevice, tmp_path: Path, asks: Path) -> None:
    """So it is what was written that did."""
    config = images_folder() / "hello-arm64" / "config.json"
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "PATH": "/usr/bin"}
    done = subprocess.run([asks, config, "talks"], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert fake.requests == []

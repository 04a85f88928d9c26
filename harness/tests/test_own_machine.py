"""Ports, memory, processors and disks of one's own: a real appliance on ``virt`` has them, and so has a copy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.package_data import images_folder

pytestmark = pytest.mark.gk_tier("nightly")

PROGRAM = """// Looks answers on UDP 53 in capitals, and on TCP 7000 with the file of that path.
package main

import (
	"bytes"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	socket, err := net.ListenPacket("udp", ":53")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		packet := make([]byte, 2048)
		for {
			n, from, err := socket.ReadFrom(packet)
			if err != nil {
				log.Fatal(err)
			}
			socket.WriteTo(bytes.ToUpper(packet[:n]), from)
		}
	}()
	log.Fatal(http.ListenAndServe(":7000", http.HandlerFunc(func(answer http.ResponseWriter, asked *http.Request) {
		content, err := os.ReadFile(asked.URL.Path)
		if err != nil {
			answer.WriteHeader(http.StatusNotFound)
		}
		answer.Write(content)
	})))
}
"""

TESTS = """
import socket

import pytest
import requests

from harness.errors import OptionError


def file(appliance, path):
    answer = requests.get(appliance.url(7000, path))
    answer.raise_for_status()
    return answer.text


def ask(appliance, question):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.settimeout(5)
        here.connect(("127.0.0.1", appliance.port("53/udp")))
        here.send(question)
        return here.recv(2048)


def look(appliance):
    # It listens on UDP before; what is sent to nobody is lost.
    appliance.wait_until_served(7000, "/proc/meminfo")
    assert ask(appliance, b"who is there") == b"WHO IS THERE"
    assert ask(appliance, bytes(1400)) == bytes(1400)
    memory = dict(line.split(":") for line in file(appliance, "/proc/meminfo").splitlines())
    assert 600 << 10 < int(memory["MemTotal"].split()[0]) < 700 << 10
    assert file(appliance, "/proc/cpuinfo").count("processor") == 3
    disks = [line.split() for line in file(appliance, "/proc/partitions").splitlines()[2:]]
    sizes = {name: int(size) for *_, size, name in disks}
    assert (sizes["vdb"], sizes["vdc"]) == (16 << 10, 64 << 10)
    assert "/dev/vdb /mnt/data ext4 rw,noatime" in file(appliance, "/proc/mounts")
    assert file(appliance, "/mnt/data/greeting") == "hello from the second disk"


def test_it_has_what_was_asked_for_from_power_on(appliance_off):
    appliance_off.power_on()
    appliance_off.wait_until_ready()
    look(appliance_off)
    port = appliance_off.port("53/udp")
    appliance_off.cut_power()
    appliance_off.power_on()
    appliance_off.wait_until_ready()
    assert appliance_off.port("53/udp") == port
    look(appliance_off)


def test_what_a_copy_writes_goes_with_it_and_comes_back_with_the_past(appliance):
    look(appliance)
    with appliance.breakglass() as rescue:
        rescue.run("echo changed > /mnt/data/greeting && sync")
    appliance.checkpoint("changed")
    with appliance.breakglass() as rescue:
        rescue.run("rm /mnt/data/greeting && sync")
    appliance.rewind("changed")
    assert file(appliance, "/mnt/data/greeting") == "changed\\n"
    assert ask(appliance, b"still") == b"STILL"
    appliance.cut_power()
    appliance.power_on()
    appliance.wait_until_ready()
    assert file(appliance, "/mnt/data/greeting") == "changed\\n"


def test_another_copy_knows_nothing_of_it(appliance):
    look(appliance)
    with pytest.raises(OptionError, match="--gk-forward 54/udp"):
        appliance.port("54/udp")
"""


def instance_with_a_second_disk(folder: Path) -> Path:
    shutil.copytree(images_folder(), folder / "images")
    program = folder / "images/programs/cmd/looks"
    program.mkdir()
    (program / "main.go").write_text(PROGRAM)
    instance = folder / "images/hello-arm64"
    config = json.loads((instance / "config.json").read_text())
    config["Packages"].append("gokrazy.test/programs/cmd/looks")
    config["MountDevices"] = [
        {"Source": "/dev/vdb", "Type": "ext4", "Target": "/mnt/data", "Options": "noatime"},
    ]
    (instance / "config.json").write_text(json.dumps(config))
    return instance


def second_disk(folder: Path) -> Path:
    """A file system with one file in it."""
    content = folder / "content"
    content.mkdir()
    (content / "greeting").write_text("hello from the second disk")
    disk = folder / "data, mine.img"
    subprocess.run(["mkfs.ext4", "-q", "-d", str(content), str(disk), "16M"], check=True)
    return disk


@pytest.mark.parametrize("network", ["restricted", "open"])
def test_ports_memory_processors_and_disks_of_one_s_own(tmp_path: Path, network: str) -> None:
    disk = second_disk(tmp_path)
    before = disk.read_bytes()
    (tmp_path / "test_mine.py").write_text(TESTS)
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-c",
                "/dev/null",
                "--rootdir",
                str(tmp_path),
                "-rA",
                "--gk-board=virt",
            ),
            *("--gk-instance", str(instance_with_a_second_disk(tmp_path)), "--gk-forward=7000,53/udp"),
            *("--gk-memory=700", "--gk-cpus=3", f"--gk-disk={disk}", "--gk-disk=64M", f"--gk-network={network}"),
            "test_mine.py",
        ],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert disk.read_bytes() == before

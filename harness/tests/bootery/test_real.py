"""A real bootery: what a client packed boots on real kernels, and what cannot is refused with its cause."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.bootery.success import HARDWARE
from harness.image.fat_volume import FatVolume
from harness.lab.lab import Lab
from harness.options import Settings
from harness.store.root import default_root
from harness.tests.bootery.client import Client, Refused
from harness.tests.bootery.packing import changed, pack, readdressed
from harness.tests.traces import Traces, wait_until

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/bootery.md"
COMES_UP = 900.0
"""Seconds for a bootery to build what carries uploads, and for a machine to find room on a busy host."""
ENDS = 30.0
CONFIG = '[slugs]\n"gokrazy/kernel.arm64" = ["virt"]\n"gokrazy/kernel.amd64" = ["pc-bios"]\n'
nightly = pytest.mark.gk_tier("nightly")


@dataclass
class Running:
    """A bootery that runs as a command, and what it has said."""

    process: subprocess.Popen[str]
    lines: list[str]
    traces: Traces

    @property
    def url(self) -> str:
        """Where it is reached, once it says so."""

        def found() -> list[str]:
            assert self.process.poll() is None, self.lines
            return [line.split()[1].rstrip("/") for line in self.lines if line.startswith("bootery: http")]

        assert wait_until(COMES_UP, lambda: bool(found())), self.lines
        return found()[0]

    def machines(self) -> list[int]:
        """The QEMUs that came of it."""
        found = []
        for pid in self.traces.processes():
            try:
                program = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
            except OSError:
                continue
            found += [pid] if b"qemu-system" in program else []
        return found

    def end(self) -> int:
        """Ask it to end; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ENDS)


@contextmanager
def bootery(folder: Path, config: str) -> Iterator[Running]:
    """A bootery with this configuration; it ends with the block and has then left nothing."""
    (folder / "bootery.toml").write_text(config)
    command = [
        sys.executable,
        "-m",
        "harness",
        "bootery",
        "--listen",
        "127.0.0.1:0",
        "--cache",
        str(default_root()),
        # A host that is busy with other things needs longer.
        *(["--", "--gk-time-factor", factor] if (factor := os.environ.get("GK_TIME_FACTOR")) else []),
    ]
    with Traces() as traces:
        lines: list[str] = []
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**traces.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        reader = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
        reader.start()
        running = Running(process, lines, traces)
        try:
            yield running
            if process.poll() is None:
                assert running.end() == 0, lines
            assert wait_until(ENDS, lambda: traces.left() == []), traces.left()
        finally:
            process.kill()
            process.wait()
            reader.join(ENDS)


@pytest.fixture(scope="session")
def for_virt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is packed for the host virt."""
    return pack("arm64", "virt", tmp_path_factory.mktemp("for-virt"))


@pytest.fixture(scope="session")
def for_pc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is packed for the host pc-bios."""
    return pack("amd64", "pc-bios", tmp_path_factory.mktemp("for-pc"))


@nightly
@pytest.mark.skipif(not PAGE.is_file(), reason="not a clone: there is no docs/bootery.md to try")
def test_the_lines_of_the_page_boot_a_kernel_on_virt(tmp_path: Path, for_virt: Path) -> None:
    blocks = re.findall(r"^```(?:toml|console)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    config = next(block for block in blocks if block.startswith("[slugs]"))
    typed = [
        line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ curl")
    ]
    assert len(typed) == 4
    with bootery(tmp_path, config) as running:
        logs = []
        for line in typed:
            environment = {**os.environ, "BOOTERY_URL": running.url}
            done = subprocess.run(
                ["bash", "-c", line],
                cwd=for_virt,
                env=environment,
                capture_output=True,
                text=True,
                timeout=COMES_UP,
            )
            assert done.returncode == 0, done
            logs.append(done.stdout)
        assert running.machines() == []
    assert logs[0] == '{"hosts": ["virt"]}\n'
    assert "[virt] [    0.000000] Linux version" in logs[2]
    assert re.search(r"^virt: passed: Linux \S+ from slot B; after the reboot: kernel ", logs[2], re.MULTILINE)
    report = Path(logs[2].splitlines()[-1].removeprefix("report: "))
    assert report.is_relative_to(tmp_path)
    assert (report.parent / "virt/console.log").read_text(errors="replace").count("Linux version") >= 1
    assert logs[3].startswith("released: gokrazy/kernel.arm64")


@nightly
def test_two_clients_at_once_each_with_its_own_kernel(tmp_path: Path, for_virt: Path, for_pc: Path) -> None:
    packed = {"gokrazy/kernel.arm64": for_virt, "gokrazy/kernel.amd64": for_pc}
    with bootery(tmp_path, CONFIG) as running, ThreadPoolExecutor(2) as clients:
        url = running.url

        def go(slug: str) -> dict[str, str]:
            return Client(url).whole(slug, packed[slug].parent, newer=int(time.time()))

        # An error of a client is raised here, and is that of the test.
        logs = {host: log for one in clients.map(go, packed) for host, log in one.items()}
        for host in ("virt", "pc-bios"):
            assert re.search(rf"^{host}: passed: Linux \S+ from slot B", logs[host], re.MULTILINE), logs
        # The same once more, with the boot file system alone: the root file system stays.
        for slug, folder in packed.items():
            log = Client(url).whole(slug, folder.parent, update_root=False)[folder.name]
            assert re.search(rf"^{folder.name}: passed: Linux \S+ from slot A", log, re.MULTILINE), log


@nightly
def test_what_does_not_boot_is_refused_with_its_cause(tmp_path: Path, for_virt: Path, for_pc: Path) -> None:
    with bootery(tmp_path, CONFIG) as running:
        client = Client(running.url)
        for host, folder, other, archs in (
            ("virt", for_virt, for_pc, ("amd64", "arm64")),
            ("pc-bios", for_pc, for_virt, ("arm64", "amd64")),
        ):
            boot = readdressed(other / "boot.img", tmp_path / "other.img", of=other.name, to=host)
            began = time.monotonic()
            cause = f"vmlinuz is a kernel for {archs[0]}, and {host} is {archs[1]}"
            assert cause in refused(client, host, boot, update_root=False)
            for root in (folder, other):
                client.update_root(host, root / "root.img")
                assert cause in refused(client, host, boot, update_root=True)
            # The programs of the other architecture, with a kernel of the right one.
            text = refused(client, host, folder / "boot.img", update_root=True)
            assert f"{host}: The image's init is for {archs[0]}, but its kernel is for {archs[1]}" in text
            assert time.monotonic() - began < board(host).budget.reboot
        mute = changed(
            for_virt / "boot.img", tmp_path / "mute.img", by=("init=/gokrazy/init", "init=/gokrazy/none")
        )
        text = refused(client, "virt", mute, update_root=False)
        assert "/gokrazy/none" in text
        assert text.splitlines()[-1].startswith("report: ")
        assert "passed" in client.test_boot("virt", for_virt / "boot.img", update_root=False)


def refused(client: Client, host: str, boot: Path, *, update_root: bool) -> str:
    """Why the bootery says no: 500, which is a verdict."""
    with pytest.raises(Refused) as caught:
        client.test_boot(host, boot, update_root=update_root)
    assert caught.value.status == 500
    return caught.value.text


@nightly
def test_an_upload_that_boots_is_compared_with_the_one_before(
    tmp_path: Path, for_virt: Path, of_another_kernel: Path
) -> None:
    config = CONFIG + '[compare.virt]\nboards = ["virt", "virt:nvme+igb"]\npairs = 1\n'
    with bootery(tmp_path, config) as running:
        client = Client(running.url)
        first = client.whole("gokrazy/kernel.arm64", for_virt.parent)["virt"]
        assert "virt (comparison): nothing to compare with yet" in first
        again = client.whole("gokrazy/kernel.arm64", for_virt.parent)["virt"]
        assert re.search(r"^virt \(comparison\): with the upload of .*: no regression in", again, re.MULTILINE)
        assert re.search(r"^virt: passed: Linux \S+ from slot B", again, re.MULTILINE)
        page = Path(again.splitlines()[-1].removeprefix("report: ")).parent / "bump.md"
        for name in ("virt", "virt:nvme+igb"):
            assert f"| same | {name} | boots |" in page.read_text()
        # It boots, and on a board with other hardware than that of its test it has no network.
        client.update_root("virt", for_virt / "root.img")
        text = refused(client, "virt", of_another_kernel, update_root=True)
        assert "virt: passed: " in text
        assert re.search(r"virt:nvme\+igb: (boots|network card)", text), text


@pytest.fixture
def of_another_kernel(tmp_path: Path, for_virt: Path) -> Path:
    """A boot file system whose kernel leaves the driver igb out; nothing else of it differs."""
    image = FatVolume.open(for_virt / "boot.img").read("cmdline.txt").decode()
    more = " initcall_blacklist=igb_init_module"
    # gok pads the line, so that init can write into it: that is the room there is.
    assert len(image) - len(image.rstrip()) >= len(more)
    line = image.rstrip()
    return changed(for_virt / "boot.img", tmp_path / "no-igb.img", by=(line + " " * len(more), line + more))


@nightly
@pytest.mark.parametrize("name", ["virt", "pc-bios"])
def test_what_bake_asks_for_is_there(tmp_path: Path, name: str) -> None:
    with (
        Lab(Settings(artifacts=tmp_path, qemu_arg=HARDWARE)) as lab,
        lab.appliance(Wanted(board(name), name, cold=True)) as appliance,
        appliance.breakglass() as rescue,
    ):
        assert rescue.run("cat /sys/class/net/eth0/address").text.startswith("b8:27:eb:")
        assert "usb1" in rescue.run("ls /sys/bus/usb/devices").text


@nightly
@pytest.mark.parametrize("who", ["client", "bootery", "bootery, killed"])
def test_whoever_goes_away_in_the_middle_leaves_no_machine(tmp_path: Path, for_virt: Path, who: str) -> None:
    with bootery(tmp_path, CONFIG) as running:
        url = f"{running.url}/testboot1?hostname=virt&update_root=false"
        curl = subprocess.Popen(
            ["curl", "-sS", "-T", for_virt / "boot.img", url], stdout=subprocess.PIPE, text=True
        )
        assert wait_until(COMES_UP, lambda: bool(running.machines()))
        if who == "client":
            curl.kill()
            assert wait_until(ENDS + COMES_UP, lambda: running.machines() == [])
            assert wait_until(ENDS, lambda: any("went away" in line for line in running.lines))
            assert "passed" in Client(running.url).test_boot("virt", for_virt / "boot.img", update_root=False)
        elif who == "bootery":
            assert running.end() == 0
        else:
            running.process.kill()
            running.process.wait(ENDS)
        curl.communicate(timeout=ENDS)

"""The protocol, with a played lab: every request, whoever makes it and however it ends."""

from __future__ import annotations

import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from harness.errors import DeviceUnreachable, HostFault, KernelPanic
from harness.image.disk import partuuid
from harness.image.load import load_raw
from harness.image.model import Image, UpdateFiles
from harness.image.update_files import update_files
from harness.tests.bootery.client import Client, Refused
from harness.tests.bootery.conftest import BOTH, RELEASE, SLUG, TWO, Serve, Served
from harness.tests.bootery.played import digest
from harness.tests.console.replay import PANIC
from harness.tests.traces import wait_until

SOON = 20.0
HOSTS = ("pc-bios", "pc-uefi")


def refused(status: int, act: object, *given: object, **named: object) -> str:
    """The text of an answer that is no success."""
    with pytest.raises(Refused) as caught:
        act(*given, **named)  # type: ignore[operator]
    assert caught.value.status == status
    return caught.value.text


def test_a_client_goes_through_all_of_it(serve: Serve, packed: Path) -> None:
    served = serve()
    logs = served.client.whole(TWO, packed)
    assert list(logs) == ["pc-bios", "pc-uefi"]
    for host, (image, sent) in zip(logs, served.lab.installed, strict=True):
        assert sent == {name: digest(packed / host / f"{name}.img") for name in ("root", "boot")}
        assert image.hostname == host
        assert f"Linux version {RELEASE}" in logs[host]
        assert f"{host}: passed: Linux {RELEASE} from slot B" in logs[host]
        report = Path(logs[host].splitlines()[-1].removeprefix("report: "))
        assert "passed" in report.read_text()
        assert (report.parent / host / "console.log").is_file()
    assert served.lab.open == 0
    assert served.lab.left() == []


def test_what_installs_it_has_the_identifiers_of_the_host_and_its_own_password(serve: Serve, packed: Path) -> None:
    served = serve()
    served.client.whole(SLUG, packed)
    carrier = served.lab.live("pc-bios").image
    assert partuuid("pc-bios", 1) in carrier.cmdline
    assert carrier.hostname == served.lab.image.hostname
    assert carrier.digest != served.lab.image.digest
    assert carrier.is_intact()


def test_a_bakery_of_two_boards_is_judged_by_both(serve: Serve, packed: Path) -> None:
    served = serve()
    log = served.client.whole(BOTH, packed)["apu"]
    assert [image.hostname for image, _ in served.lab.installed] == ["apu"] * 2
    assert f"[apu (pc-uefi)] [    0.000000] Linux version {RELEASE}" in log
    for name in ("pc-bios", "pc-uefi"):
        assert f"\napu ({name}): passed: Linux {RELEASE} from slot B" in log
    served.lab.fails = [KernelPanic("it panicked")]
    text = refused(500, served.client.test_boot, "apu", packed / "apu/boot.img", update_root=False)
    assert text.startswith("apu (pc-bios): it panicked\napu (pc-uefi): passed")
    assert text.count("report: ") == 1


def test_without_update_root_the_boot_file_system_alone_is_installed(serve: Serve, packed: Path) -> None:
    served = serve()
    boot = packed / "pc-bios" / "boot.img"
    log = served.client.test_boot("pc-bios", boot, update_root=False)
    assert "from slot A" in log
    ((image, sent),) = served.lab.installed
    assert sent == {"boot": digest(boot)}
    assert image.hostname == served.lab.image.hostname


def test_what_crashes_is_refused_with_the_cause_and_the_report(serve: Serve, packed: Path) -> None:
    served = serve()
    served.lab.says = PANIC
    served.client.update_root("pc-bios", packed / "pc-bios/root.img")
    text = refused(500, served.client.test_boot, "pc-bios", packed / "pc-bios/boot.img")
    assert text.startswith("pc-bios: the kernel gave up: sysrq triggered crash")
    report = Path(text.splitlines()[-1].removeprefix("report: "))
    assert "panic" in report.read_text().lower()
    assert served.lab.open == 0


def test_only_what_was_sent_is_judged(serve: Serve, packed: Path) -> None:
    served = serve()
    boot = packed / "pc-bios/boot.img"

    def judged(status: int) -> str:
        return refused(status, served.client.test_boot, "pc-bios", boot, update_root=False)

    served.lab.stays_off = [KernelPanic("it panicked")]
    assert "it panicked" in judged(503)
    served.lab.refuses = [DeviceUnreachable("the upload broke off")]
    text = judged(503)
    assert "the upload broke off" in text
    assert "what was sent did not run yet" in text
    served.lab.fails = [HostFault("QEMU crashed")]
    assert "QEMU crashed" in judged(503)
    served.lab.fails = [KernelPanic("it panicked")]
    assert "it panicked" in judged(500)
    assert "passed" in served.client.test_boot("pc-bios", boot, update_root=False)
    assert served.lab.open == 0


def test_a_boot_file_system_for_another_host_is_refused_before_anything_starts(serve: Serve, packed: Path) -> None:
    served = serve()
    text = refused(500, served.client.test_boot, "pc-bios", packed / "pc-uefi/boot.img", update_root=False)
    assert "not for pc-bios" in text
    assert partuuid("pc-bios", 1) in text
    assert served.lab.installed == []


def test_a_kernel_whose_modules_are_of_another_version_is_refused(
    serve: Serve, packed: Path, small_image: Path, tmp_path: Path
) -> None:
    served = serve()
    other = update_files(load_raw(small_image), tmp_path / "other")
    boot = tmp_path / "boot.img"
    own, wanted = (partuuid(name, 1).encode() for name in ("amd", "pc-bios"))
    boot.write_bytes(other.boot.read_bytes().replace(own, wanted))
    served.client.update_root("pc-bios", packed / "pc-bios/root.img")
    text = refused(500, served.client.test_boot, "pc-bios", boot)
    assert "vmlinuz is Linux 7.1.2, lib/modules is 7.1.3" in text
    assert served.lab.installed == []


@pytest.mark.parametrize(("kind", "says"), [("boot", "FAT"), ("root", "squashfs|root file system")])
def test_what_is_no_file_system_is_refused(
    serve: Serve, packed: Path, tmp_path: Path, kind: str, says: str
) -> None:
    served = serve()
    nonsense = tmp_path / "nonsense.img"
    nonsense.write_bytes(b"nonsense" * 1000)
    sent = {name: packed / f"pc-bios/{name}.img" for name in ("root", "boot")} | {kind: nonsense}
    served.client.update_root("pc-bios", sent["root"])
    text = refused(500, served.client.test_boot, "pc-bios", sent["boot"])
    assert re.search(says, text), text
    assert served.lab.installed == []


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/usebakeries", 400, "empty slug"),
        ("/usebakeries?slug=", 400, "empty slug"),
        ("/usebakeries?slug=some/other", 404, "'some/other'"),
        ("/updateroot", 400, "empty hostname"),
        ("/updateroot?hostname=virt", 404, "there are: pc-bios, pc-uefi, apu"),
        ("/updateroot?hostname=pc-bios", 400, "the body is empty: send the root file system"),
        ("/testboot1?hostname=virt", 404, "no bakery 'virt'"),
        ("/testboot1?hostname=pc-bios", 400, "the body is empty: send the boot file system"),
        ("/testboot1?hostname=pc-bios&update_root=true", 409, "PUT /updateroot comes first"),
        ("/testboot1?hostname=pc-bios&update_root=perhaps", 400, "neither true nor false"),
        ("/testboot1?hostname=pc-bios&boot-newer=today", 400, "boot-newer is no number"),
        ("/testboot?slug=", 400, "empty hostname"),
        ("/testboot?slug=some/other", 404, "'some/other'"),
        ("/elsewhere", 404, "there are: /usebakeries"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_so(serve: Serve, path: str, status: int, says: str) -> None:
    served = serve()
    answer = requests.put(served.server.url.rstrip("/") + path, timeout=SOON)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text
    assert served.lab.installed == []
    assert wait_until(SOON, lambda: len([line for line in served.said if f": {status}" in line]) == 1)


def test_only_put_is_understood(serve: Serve) -> None:
    served = serve()
    for method in ("GET", "POST"):
        answer = requests.request(method, served.server.url + "usebakeries", timeout=SOON)
        assert (answer.status_code, answer.text) == (400, "expected a PUT request\n")


def test_a_release_of_nothing_is_fine(serve: Serve) -> None:
    assert serve().client.release() == "nothing was in use\n"


def test_testboot_takes_a_slug_as_well(serve: Serve, packed: Path) -> None:
    served = serve()
    with (packed / "pc-bios/boot.img").open("rb") as boot:
        url = f"{served.server.url}testboot?slug={SLUG}"
        answer = requests.put(url, data=boot, timeout=SOON)
    assert answer.status_code == 200
    assert "pc-bios: passed" in answer.text


def test_who_has_no_password_gets_nothing(serve: Serve, packed: Path) -> None:
    served = serve(password="very secret")
    for wrong in (Client(served.server.url), Client(served.server.url, "guessed")):
        assert "the user is gokrazy" in refused(401, wrong.use, SLUG)
        refused(401, wrong.update_root, "pc-bios", packed / "pc-bios/root.img")
    answer = requests.put(served.server.url + "usebakeries", headers={"Authorization": "Basic %%%"}, timeout=SOON)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="gokrazy"'
    assert served.client.use(SLUG) == ["pc-bios"]
    assert "very secret" not in "".join(served.said)
    assert served.lab.left() != []


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_larger_than_its_partition_is_refused(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, chunked: bool
) -> None:
    monkeypatch.setattr("harness.bootery.server.LIMITS", {"root": 1 << 20, "boot": 1 << 20})
    served = serve()
    body = bytes(4 << 20)
    for path in ("updateroot?hostname=pc-bios", "testboot1?hostname=pc-bios"):
        data = iter([body[: 1 << 19]] * 8) if chunked else body
        answer = requests.put(served.server.url + path, data=data, timeout=SOON)
        assert answer.status_code == 413
        assert "its partition only 1048576 bytes" in answer.text
    served.client.release()
    assert served.lab.left() == []


def test_half_of_an_upload_does_not_stand_for_the_whole(serve: Serve, packed: Path) -> None:
    served = serve()
    served.client.update_root("pc-bios", packed / "pc-bios/root.img")
    with socket.create_connection(("127.0.0.1", served.server.server_port)) as connection:
        connection.sendall(
            b"PUT /updateroot?hostname=pc-bios HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nhsqs"
        )
        assert wait_until(SOON, lambda: any(lease.busy for lease in served.bootery.leases.open))
    assert wait_until(SOON, lambda: any("broke off after" in line for line in served.said))
    text = refused(409, served.client.test_boot, "pc-bios", packed / "pc-bios/boot.img")
    assert "no root file system" in text


def test_a_client_that_goes_away_takes_its_machine_with_it(serve: Serve, packed: Path) -> None:
    served = serve(limit=120.0)
    served.lab.holds = True
    body = (packed / "pc-bios/boot.img").read_bytes()
    with socket.create_connection(("127.0.0.1", served.server.server_port)) as connection:
        head = f"PUT /testboot1?hostname=pc-bios HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        assert served.lab.arrived.wait(SOON)
        assert served.lab.open == 1
    assert wait_until(SOON, lambda: served.lab.open == 0)
    assert wait_until(SOON, lambda: any("went away while its test ran" in line for line in served.said))
    served.lab.holds = False
    assert "passed" in served.client.test_boot("pc-bios", packed / "pc-bios/boot.img", update_root=False)


def test_the_end_of_the_bootery_ends_its_tests_with_an_answer(serve: Serve, packed: Path) -> None:
    served = serve(limit=120.0)
    served.lab.holds = True
    texts: list[str] = []
    asks = threading.Thread(target=lambda: texts.append(ask_in_vain(served, packed)))
    asks.start()
    assert served.lab.arrived.wait(SOON)
    served.bootery.end()
    assert (served.lab.open, served.lab.abandoned) == (0, 1)
    asks.join(SOON)
    assert "the bootery was ended" in texts[0]


def ask_in_vain(served: Served, packed: Path) -> str:
    return refused(503, served.client.test_boot, "pc-bios", packed / "pc-bios/boot.img", update_root=False)


def test_two_clients_at_once_have_a_host_each(serve: Serve, packed: Path) -> None:
    served = serve()
    both_sent = threading.Barrier(2)

    def go(host: str) -> str:
        served.client.update_root(host, packed / host / "root.img")
        both_sent.wait(SOON)
        return served.client.test_boot(host, packed / host / "boot.img")

    with ThreadPoolExecutor(2) as clients:
        # An error of a client is raised here, and is that of the test.
        logs = dict(zip(HOSTS, clients.map(go, HOSTS), strict=True))
    for host, log in logs.items():
        assert f"{host}: passed" in log
        report = Path(log.splitlines()[-1].removeprefix("report: "))
        assert report.parent.name.endswith(f"-{host}")
        assert (report.parent / host / "console.log").is_file(), "it is among the logs of the other"


def test_what_a_client_installs_from_is_not_written_again_for_another(
    serve: Serve, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one test reads would be empty for a moment in another's beginning: once in 60 runs it was."""
    cut: list[Path] = []

    def counted(image: Image, folder: Path) -> UpdateFiles:
        cut.append(folder)
        return update_files(image, folder)

    monkeypatch.setattr("harness.tests.bootery.played.update_files", counted)
    served = serve()
    served.client.whole(TWO, packed)
    assert len(cut) == len(set(cut))


def test_who_uploads_may_wait_for_the_word_to_send(serve: Serve) -> None:
    served = serve(password="secret")
    with socket.create_connection(("127.0.0.1", served.server.server_port)) as connection:
        head = (
            "PUT /updateroot?hostname=pc-bios HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
        )
        connection.sendall(f"{head}\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 401"
    with socket.create_connection(("127.0.0.1", served.server.server_port)) as connection:
        connection.sendall(f"{head}Authorization: Basic Z29rcmF6eTpzZWNyZXQ=\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(b"hsqs!")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_fault_of_the_bootery_is_no_verdict(serve: Serve, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise TypeError("nonsense")

    monkeypatch.setattr("harness.bootery.bootery.candidate", fail)
    served = serve()
    boot = packed / "pc-bios/boot.img"
    text = refused(503, served.client.test_boot, "pc-bios", boot, update_root=False)
    assert text == "the bootery itself failed: TypeError: nonsense\n"
    assert any("Traceback" in line for line in served.said)

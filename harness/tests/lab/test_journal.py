"""What a run tells of itself, and how often."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.console.phases import Cause
from harness.image.load import load_raw
from harness.image.model import Image
from harness.lab.journal import Journal, Life
from harness.machine.power import PowerOn
from harness.tests.image import synthetic


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("image")
    made = load_raw(synthetic.write_image(folder / "disk.raw", folder))
    modules = {"github.com/gokrazy/kernel.amd64": "v1", "example.com/other": "v2"}
    return replace(made, hostname="pc", build="2026", modules=modules, notes=("patched",))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def journal(said: list[str]) -> Journal:
    return Journal(said.append)


def facts(journal: Journal) -> dict[str, str]:
    told = json.loads(json.dumps(journal.take()))["facts"]
    assert isinstance(told, dict)
    return told


BOOT = ("raspi4b", "cold", {"ready": 25.0})


def test_an_image_is_told_once_with_what_is_in_it(journal: Journal, said: list[str], image: Image) -> None:
    for _ in range(2):
        journal.image("image hello", image)
    assert [line.split(" (")[0] for line in said] == ["gokrazy: image hello: pc", "gokrazy: pc: patched"]
    told = json.loads(json.dumps(journal.take()))
    assert told["facts"].keys() == {"image hello pc", "notes on pc"}
    (row,) = told["images"]
    assert (row["title"], row["hostname"], row["digest"]) == ("image hello", "pc", image.digest)
    assert row["modules"] == image.modules
    assert row["notes"] == ["patched"]
    assert len(row["kernel"]["sha256"]) == 64
    assert journal.take()["images"] == []


def test_no_password_is_in_what_is_told_of_an_image(journal: Journal, image: Image) -> None:
    journal.image("image hello", replace(image, password="geheim-geheim"))
    assert "geheim" not in json.dumps(journal.take())


def test_what_two_images_have_to_say_alike_is_said_once(journal: Journal, said: list[str], image: Image) -> None:
    journal.image("image", image)
    journal.image("next image", replace(image, build="2026-07-06T00:00:00Z", notes=(*image.notes, "later")))
    assert [line.split(" (")[0] for line in said] == [
        "gokrazy: image: pc",
        "gokrazy: pc: patched",
        "gokrazy: next image: pc",
        "gokrazy: pc: later",
    ]


def test_a_board_is_told_once(journal: Journal, said: list[str]) -> None:
    for version in ("10.0", "10.0", "11.0"):
        journal.board("virt", f"QEMU {version}")
    assert said == ["gokrazy: virt: QEMU 10.0"]


def test_what_happened_is_taken_once_and_facts_stay(said: list[str]) -> None:
    journal = Journal(said.append)
    journal.built("pc", 4.04)
    journal.note("QEMU took SIGKILL")
    journal.waited(3.0)
    journal.lived(Life("raspi4b", boots=[BOOT]))
    first = journal.take()
    assert first["notes"] == ["QEMU took SIGKILL"]
    assert first["waits"] == [3.0]
    assert first["boots"] == [BOOT]
    journal.built("next", 1.0)
    second = journal.take()
    assert (second["notes"], second["waits"], second["boots"]) == ([], [], [])
    assert second["facts"] == {"build pc": "4.0 s", "build next": "1.0 s"}
    assert said == ["gokrazy: QEMU took SIGKILL"]


def test_the_machine_counts_its_starts_where_no_console_shows_them() -> None:
    causes = ("power-on", "guest-reset", "halted", "power-cycle", "restored", "host-qmp-system-reset", "restored")
    loaded: Any = SimpleNamespace(notes=())
    power_ons = [PowerOn(number, cause, True, 1.0, loaded) for number, cause in enumerate(causes, 1)]
    silent: Any = SimpleNamespace(
        board=SimpleNamespace(name="virt"),
        power=SimpleNamespace(power_ons=power_ons),
        console=SimpleNamespace(boots=[]),
        boot_times=list,
        uploaded=7,
    )
    starts = {"power-on": 2, "reset": 3, "restored": 2}
    assert Life.of(silent).work == {**starts, "uploaded": 7}
    silent.console.boots = [SimpleNamespace(cause=cause) for cause in (Cause.POWER_ON, Cause.KEXEC, Cause.KEXEC)]
    silent.uploaded = 0
    assert Life.of(silent).work == {**starts, "kexec": 2}


def test_the_work_of_a_board_is_summed_up_and_taken_once(journal: Journal) -> None:
    journal.lived(Life("virt", work={"power-on": 1, "uploaded": 1000}))
    journal.lived(Life("virt", work={"restored": 2, "uploaded": 500}))
    journal.lived(Life("pc-bios", work={"power-on": 1}))
    journal.lived(Life("raspi4b"))
    virt = {"power-on": 1, "uploaded": 1500, "restored": 2}
    assert journal.take()["work"] == {"virt": virt, "pc-bios": {"power-on": 1}}
    assert journal.take()["work"] == {}


def test_firmware_and_halts_are_counted_over_all_appliances_of_a_board(journal: Journal) -> None:
    journal.firmware("raspi4b", "network: late")
    journal.lived(Life("raspi4b", firmware=["quirk a", "quirk b", "quirk a"], halts=1))
    journal.lived(Life("raspi4b", firmware=["quirk b"], halts=1))
    told = facts(journal)
    assert told["firmware raspi4b"] == "network: late; quirk a; quirk b"
    assert told["power-cycled raspi4b"].startswith("2 times")

"""What a device says that it is made of, held against what the web interface says and what its image has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import ApplianceFault
from harness.image.load import load_raw
from harness.image.model import Service
from harness.image.sbom import PLACE, hash_of
from harness.image.squashfs import File
from harness.machine.ports import Port
from harness.tests.appliance.played import appliance
from harness.tests.image import synthetic
from harness.tests.image.test_sbom import content, document


@pytest.fixture
def subject(tmp_path: Path) -> Any:
    made: Any = appliance(tmp_path, "virt", no_quirks=False)
    made.console.close()
    made.power.ports = {Port(80): 1, Port(443): 2}
    made.status = lambda: SimpleNamespace(sbom_hash=hash_of(content()))
    return made


def with_bill(subject: Any, folder: Path, bill: str | None) -> None:
    @contextmanager
    def breakglass() -> Iterator[Any]:
        yield SimpleNamespace(get_bytes=lambda path: (bill or "").encode() if path == PLACE else b"")

    tree = synthetic.root_tree()
    if bill is not None:
        tree.add(PLACE, File(bill.encode()), replace=PLACE in tree)
    subject.breakglass = breakglass
    subject.image = load_raw(synthetic.write_image(folder / "disk.raw", folder, tree=tree))


def test_the_bill_of_a_device_is_read(subject: Any, tmp_path: Path) -> None:
    with_bill(subject, tmp_path, document())
    assert subject.sbom().hash == hash_of(content())
    assert subject.image_sbom().document == document()


@pytest.mark.parametrize(
    ("bill", "says"),
    [
        ("{", "its bill of materials is no JSON"),
        (document().replace(hash_of(content()), "0" * 64), "says it has hash 0000"),
        (document(go_packages=None), "the web interface names the bill"),
    ],
)
def test_a_bill_that_is_not_what_it_says_is_an_appliance_s_fault(
    subject: Any, tmp_path: Path, bill: str, says: str
) -> None:
    with_bill(subject, tmp_path, bill)
    with pytest.raises(ApplianceFault, match=says) as raised:
        subject.sbom()
    assert "build the image again" in raised.value.hint


def test_the_bill_of_an_image_is_checked_against_its_files(subject: Any, tmp_path: Path) -> None:
    with_bill(subject, tmp_path, document())
    with pytest.raises(ApplianceFault, match="the bill of materials is untrue: it does not name") as raised:
        subject.check_sbom()
    assert len(raised.value.evidence.splitlines()) > 1
    with_bill(subject, tmp_path, "{")
    with pytest.raises(ApplianceFault, match="the bill of materials in the image is no JSON"):
        subject.image_sbom()


def test_only_the_services_of_an_image_must_be_in_its_bill(subject: Any, tmp_path: Path) -> None:
    with_bill(subject, tmp_path, document(go_packages=None, extra_file_hashes=None))
    hello = replace(subject.image, services=(Service("/user/hello"),))
    subject.image = replace(hello, services=())
    subject.check_sbom()
    subject.image = hello
    with pytest.raises(ApplianceFault) as raised:
        subject.check_sbom()
    assert raised.value.evidence == "it does not name /user/hello, which is there"


def test_memory_at_rest_is_what_nobody_can_have(subject: Any) -> None:
    whole = subject._equipment.memory
    subject.wait_until_calm = lambda: SimpleNamespace(memory={"MemAvailable": 100 << 20, "MemTotal": 1})
    assert subject.memory_at_rest() == whole - 100
    subject.board = replace(subject.board, withheld=64)
    assert subject.memory_at_rest() == whole - 64 - 100
    subject.wait_until_calm = lambda: SimpleNamespace(memory={})
    with pytest.raises(ApplianceFault, match="does not say how much memory"):
        subject.memory_at_rest()

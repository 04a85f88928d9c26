"""Known deviations: tolerated for exactly the version they name, and red once they are gone."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.appliance.demands import demand
from harness.appliance.deviations import KNOWN, Deviation, known
from harness.errors import ApplianceFault
from harness.image.model import Kernel
from harness.tests.appliance.played import appliance

KERNEL = Kernel(release="7.1.2", modules=("7.1.3",), sha256="ab" * 32)
TABLE = (Deviation("modules-fit", "example.org/kernel", "v1", "they do not", brings=KERNEL),)
OTHER_FILE = replace(KERNEL, sha256="cd" * 32)


def test_an_unmet_demand_that_is_known_is_tolerated_and_kept() -> None:
    seen: dict[str, str] = {}
    with demand("modules-fit", {"example.org/kernel": "v1"}, OTHER_FILE, seen, TABLE):
        assert "vmlinuz" in seen
    assert seen == {"modules-fit (example.org/kernel@v1)": "they do not; known by its version"}


@pytest.mark.parametrize("modules", [{}, {"example.org/kernel": "(local)"}])
def test_an_image_that_does_not_contain_the_version_is_known_by_its_files(modules: dict[str, str]) -> None:
    seen: dict[str, str] = {}
    with demand("modules-fit", modules, KERNEL, seen, TABLE):
        assert "vmlinuz" in seen
    known_by = "they do not; known by its files: vmlinuz has SHA-256 abababababababab"
    assert seen == {"modules-fit (example.org/kernel@v1)": known_by}


@pytest.mark.parametrize("error", [AssertionError, ApplianceFault])
def test_an_unmet_demand_at_another_version_is_red(error: type[Exception]) -> None:
    seen: dict[str, str] = {}
    with pytest.raises(error), demand("modules-fit", {"example.org/kernel": "v2"}, KERNEL, seen, TABLE):
        raise error("red")
    assert seen == {}


@pytest.mark.parametrize(
    ("modules", "kernel", "differs"),
    [
        ({}, OTHER_FILE, "vmlinuz is another file"),
        ({"example.org/kernel": "v2"}, KERNEL, "the version is v2"),
        ({}, replace(KERNEL, modules=("7.1.1",)), ""),
        ({}, replace(OTHER_FILE, release="7.1.1"), ""),
    ],
)
def test_what_only_looks_like_it_is_red_and_says_so(modules: dict[str, str], kernel: Kernel, differs: str) -> None:
    with pytest.raises(AssertionError) as raised, demand("modules-fit", modules, kernel, {}, TABLE):
        raise AssertionError("red")
    note = f"It looks like the known deviation of example.org/kernel@v1, but here {differs}: they do not"
    assert getattr(raised.value, "__notes__", []) == ([note] if differs else [])


@pytest.mark.parametrize("modules", [{"example.org/kernel": "v1"}, {}])
def test_a_deviation_that_is_gone_is_red(modules: dict[str, str]) -> None:
    with (
        pytest.raises(AssertionError, match="is gone: delete its row"),
        demand("modules-fit", modules, KERNEL, {}, TABLE),
    ):
        pass


def test_an_error_of_another_kind_is_never_tolerated() -> None:
    with pytest.raises(ZeroDivisionError), demand("modules-fit", {"example.org/kernel": "v1"}, KERNEL, {}, TABLE):
        raise ZeroDivisionError


def test_another_demand_of_the_same_image_is_red() -> None:
    assert known("another", {"example.org/kernel": "v1"}, KERNEL, TABLE) is None


def test_each_row_about_a_kernel_says_which() -> None:
    for row in KNOWN:
        if row.demand == "kernel-and-modules-fit":
            assert row.brings is not None
            assert len(row.brings.sha256) == 64
            assert row.brings.modules != (row.brings.release,)


def test_modules_of_another_release_are_blamed_and_none_are_not(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.check_modules("7.1.3", ())
    subject.check_modules("7.1.3", ("7.1.2", "7.1.3"))
    with pytest.raises(ApplianceFault, match=r"Linux 7\.1\.3 runs.*those of 7\.1\.2 only(?s:.*)same version"):
        subject.check_modules("7.1.3", ("7.1.2",))
    subject.console.close()


OF_ALL = (replace(TABLE[0], brings=None, in_all=True),)


@pytest.mark.parametrize("modules", [{}, {"example.org/kernel": "v2"}])
def test_what_every_version_has_is_tolerated_where_it_shows_and_never_demanded(modules: dict[str, str]) -> None:
    seen: dict[str, str] = {}
    with demand("modules-fit", modules, KERNEL, seen, OF_ALL):
        pass
    assert seen == {}, "a version that has it no more is no failure"
    with demand("modules-fit", modules, KERNEL, seen, OF_ALL):
        assert "vmlinuz" in seen
    assert list(seen.values()) == ["they do not; known by what it shows, as every version so far"]


def test_what_every_version_has_is_red_once_the_named_version_has_it_no_more() -> None:
    with (
        pytest.raises(AssertionError, match="is gone: delete its row"),
        demand("modules-fit", {"example.org/kernel": "v1"}, KERNEL, {}, OF_ALL),
    ):
        pass

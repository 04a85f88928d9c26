"""What boots is compared as the configuration says; the comparison itself is played, as the appliances are."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.boards import board
from harness.bootery.bootery import Bootery
from harness.bootery.config import Comparison
from harness.bump.accepted import Accepted
from harness.bump.bump import Depth, Sides
from harness.bump.compare import Row, Verdict
from harness.errors import BoardMismatch, HostDiskFull, HostFault, KernelPanic
from harness.tests.bootery.client import Refused
from harness.tests.bootery.conftest import BOTH, SLUG, Serve, Served

SAME = Row("pc-uefi", "boots", Verdict.SAME)
GONE = Row("pc-uefi", "network card igb", Verdict.WORSE, "it is gone")
ELSEWHERE = (board("pc-uefi:nvme+igb"),)
LAST = Comparison(None, ELSEWHERE)


class Compared:
    """Stands for the comparison: notes what it was to compare, and finds what a test has it find."""

    def __init__(self) -> None:
        self.rows = [SAME]
        self.fails: list[Exception] = []
        self.seen: list[tuple[Sides, Depth, Any]] = []
        self.perms: list[str | None] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, lab: Any, what: Sides, *, say: Any, depth: Depth, boards: Any) -> Iterator[Row]:
        say(f"{boards[0].name}: old 1: ready")
        for image in (what.old, what.new):
            assert image.is_intact(), "it was removed while it was compared"
        self.perms.append(lab.settings.perm)
        self.seen.append((what, depth, boards))
        self.meanwhile()
        if self.fails:
            raise self.fails.pop()
        yield from self.rows


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Compared:
    found = Compared()
    monkeypatch.setattr("harness.bootery.versus.bump", found)
    return found


def refused(served: Served, packed: Path, status: int) -> str:
    with pytest.raises(Refused) as caught:
        served.client.whole(SLUG, packed)
    assert caught.value.status == status
    return caught.value.text


def test_the_first_upload_is_what_the_next_one_is_compared_with(
    serve: Serve, packed: Path, compared: Compared
) -> None:
    served = serve(comparison=LAST)
    first = served.client.whole(SLUG, packed)["pc-bios"]
    assert "pc-bios (comparison): nothing to compare with yet" in first
    assert compared.seen == []
    log = served.client.whole(SLUG, packed)["pc-bios"]
    assert "pc-bios: passed: Linux" in log
    assert "pc-bios (comparison): with the upload of 2" in log
    assert "no regression in 1 rows on 1 boards" in log
    ((sides, depth, boards),) = compared.seen
    assert (boards, depth, compared.perms) == (ELSEWHERE, Depth(), ["ext4"])
    assert sides.old.digest == sides.new.digest
    page = Path(next(line for line in log.splitlines() if "all of it: " in line).rpartition(": ")[2])
    assert "no regression" in page.read_text()
    report = Path(log.splitlines()[-1].removeprefix("report: "))
    assert report.parent == page.parent
    assert "(comparison): with the upload" in report.read_text()
    assert any("pc-bios: comparison: pc-uefi:nvme+igb: old 1: ready" in line for line in served.said)
    assert served.lab.left() == []


def test_a_regression_is_refused_and_is_not_what_the_next_one_is_compared_with(
    serve: Serve, packed: Path, compared: Compared
) -> None:
    served = serve(comparison=LAST)
    served.client.whole(SLUG, packed)
    compared.rows = [SAME, GONE]
    text = refused(served, packed, 500)
    assert text.startswith("pc-bios (comparison): with the upload of")
    assert "first pc-uefi: network card igb" in text
    assert "    pc-uefi: network card igb: it is gone" in text
    assert "pc-bios: passed: " in text
    compared.rows = [SAME]
    served.client.whole(SLUG, packed)
    titles = [sides.old_title for sides, _, _ in compared.seen]
    assert titles == [titles[0]] * 2
    paths = {sides.old.path for sides, _, _ in compared.seen}
    assert len(paths) == 1, "the one that was worse took the place of the good one"


def test_what_is_accepted_is_no_regression(serve: Serve, packed: Path, compared: Compared) -> None:
    known = Accepted("network card igb", "nobody has one", datetime.date(2999, 1, 1))
    served = serve(comparison=Comparison(None, ELSEWHERE, (known,)))
    served.client.whole(SLUG, packed)
    compared.rows = [GONE]
    assert "no regression" in served.client.whole(SLUG, packed)["pc-bios"]


@pytest.mark.parametrize(
    "error", [HostFault("QEMU crashed"), BoardMismatch("it does not fit"), KernelPanic("it gave up")]
)
def test_a_comparison_that_cannot_be_made_is_no_verdict(
    serve: Serve, packed: Path, compared: Compared, error: Exception
) -> None:
    served = serve(comparison=LAST)
    served.client.whole(SLUG, packed)
    compared.fails = [error]
    text = refused(served, packed, 503)
    assert "what was uploaded boots; it could not be compared" in text


def test_what_does_not_boot_is_not_compared(serve: Serve, packed: Path, compared: Compared) -> None:
    served = serve(comparison=LAST)
    served.client.whole(SLUG, packed)
    served.lab.fails = [KernelPanic("it panicked")]
    text = refused(served, packed, 500)
    assert "comparison" not in text
    assert compared.seen == []


def test_a_finished_image_may_be_what_is_compared_with(
    serve: Serve, packed: Path, compared: Compared, small_image: Path
) -> None:
    served = serve(comparison=Comparison(small_image, ELSEWHERE, pairs=2))
    log = served.client.whole(SLUG, packed)["pc-bios"]
    assert f"(comparison): with {small_image.name}: no regression" in log
    ((sides, depth, _),) = compared.seen
    assert sides.old.path == small_image
    assert (depth.least, depth.most, depth.asked) == (2, 2, 2)


def test_uploads_with_and_without_a_root_file_system_are_not_compared_with_each_other(
    serve: Serve, packed: Path, compared: Compared
) -> None:
    served = serve(comparison=LAST)
    served.client.whole(BOTH, packed)
    log = served.client.whole(BOTH, packed, update_root=False)["apu"]
    assert "nothing to compare with yet" in log
    assert "(comparison): with" in served.client.whole(BOTH, packed, update_root=False)["apu"]


def test_an_upload_that_cannot_be_kept_has_passed_all_the_same(
    serve: Serve, packed: Path, compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(comparison=LAST)

    def full(*_: Any) -> None:
        raise HostDiskFull("there is no room")

    monkeypatch.setattr("harness.bootery.versus.Before.keep", full)
    assert "pc-bios: passed" in served.client.whole(SLUG, packed)["pc-bios"]
    assert "pc-bios: the next upload is compared with an older one: there is no room" in served.said


@pytest.mark.parametrize("fails", [[], [FileNotFoundError("its folders were taken from under it")]])
def test_the_end_of_the_bootery_ends_a_comparison_which_is_no_verdict(
    serve: Serve, packed: Path, compared: Compared, fails: list[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.bootery.bootery.ENDS", 0.0)
    served = serve(comparison=LAST)
    served.client.whole(SLUG, packed)
    compared.meanwhile, compared.fails, compared.rows = served.bootery.end, fails, [GONE]
    assert "the bootery was ended" in refused(served, packed, 503)
    assert served.lab.abandoned == 1


def test_a_comparison_ends_with_the_time_that_a_client_waits(
    serve: Serve, packed: Path, compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(comparison=LAST)
    served.client.whole(SLUG, packed)
    ended = threading.Event()
    monkeypatch.setattr("harness.tests.bootery.played.PlayedTest.abandon", lambda _: ended.set())
    within: Any = Bootery._compare

    def late(self: Bootery, *given: Any) -> Any:
        return within(self, *given[:-1], 0.0)

    monkeypatch.setattr(Bootery, "_compare", late)
    compared.meanwhile = lambda: ended.wait(20.0)
    text = refused(served, packed, 503)
    assert text.startswith("pc-bios (comparison): the test took longer than 1800 s")

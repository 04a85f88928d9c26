"""A bulk transfer that stalls on a real machine, because its network loses large segments: worse, by its name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.appliance.appliance import Appliance
from harness.appliance.wanted import Wanted
from harness.bump import segment
from harness.bump.bump import TOGETHER, Depth, Sides, bump, with_port
from harness.bump.compare import Verdict
from harness.bump.traffic import PORT, TRANSFERS
from harness.lab.lab import Lab
from harness.machine.tap import Tap
from harness.options import Settings
from harness.package_data import images_folder
from harness.tests.bump.segment import no_large_segment_from, relayed

pytestmark = pytest.mark.gk_tier("nightly")


class BadNetwork(Lab):
    """Its machines of the new side lose large segments of bulk traffic."""

    lost: int = 0

    @contextlib.contextmanager
    def appliance(self, wanted: Wanted) -> Iterator[Appliance]:
        """One whose network is bad from its power-on to its end."""
        with super().appliance(wanted) as made, contextlib.ExitStack() as ends:
            power_on = made.power_on

            def on() -> None:
                power_on()
                keep = no_large_segment_from(PORT)
                lost = ends.enter_context(relayed(made.power.machine, keep))
                ends.callback(lambda: setattr(self, "lost", self.lost + len(lost)))

            if "-new-" in wanted.name:
                made.power_on = on  # type: ignore[method-assign]
            yield made


def settings_of(folder: Path) -> Settings:
    instance = str(images_folder() / "hello-arm64")
    return with_port(Settings(instance=instance, boards=("virt",), artifacts=folder))


def test_a_transfer_that_stalls_is_worse_and_the_others_are_the_same(tmp_path: Path) -> None:
    settings = with_port(
        Settings(instance=str(images_folder() / "hello-arm64"), boards=("virt",), artifacts=tmp_path)
    )
    one = str(TRANSFERS[-1])
    with BadNetwork(settings) as lab:
        image = lab.images.build(str(settings.instance))
        rows = list(bump(lab, Sides(image, image, "old", "new"), say=print, depth=Depth.of_row(one)))
        assert lab.lost > 0
    worse = {row.what: row.why for row in rows if row.verdict is Verdict.WORSE}
    assert set(worse) == {str(transfer) for transfer in TRANSFERS if transfer.direction == "out"}
    assert set(worse.values()) == {"it stalls: not a byte for 30 s"}


@pytest.mark.parametrize("loses", [False, True])
def test_two_of_the_new_one_that_lose_large_segments_are_worse_and_two_well_ones_are_the_same(
    loses: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry, keep = segment._carry, no_large_segment_from(PORT)
    ends = iter([loses, loses, False, False])

    def lossy(number: int, taps: Sequence[Tap], real: dict[int, bytes]) -> None:
        if next(ends):
            frames = taps[number].frames
            monkeypatch.setattr(taps[number], "frames", lambda: filter(keep, frames()))
        carry(number, taps, real)

    monkeypatch.setattr(segment, "_carry", lossy)
    settings = settings_of(tmp_path)
    with Lab(settings) as lab:
        image = lab.images.build(str(settings.instance))
        depth = Depth.of_row(TOGETHER)
        rows = {row.what: row for row in bump(lab, Sides(image, image, "old", "new"), say=print, depth=depth)}
    row = rows[TOGETHER]
    assert row.verdict is (Verdict.WORSE if loses else Verdict.SAME), row
    assert ("it stalls: not a byte for 30 s" in row.why) == loses
    assert ("to the first" in row.why) is False

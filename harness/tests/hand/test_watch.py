"""A device that follows what changes in its instance."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.hand.watch import Watch
from harness.tests.hand.played import Played, played
from harness.tests.test_plugin import instance
from harness.tests.traces import wait_until


class Watched:
    """An instance that is watched, with what was said."""

    def __init__(self, made: Played, folder: Path) -> None:
        self.made = made
        self.folder = folder
        self.said: list[str] = []
        self._over = threading.Event()
        watch = Watch(str(folder))
        self._thread = threading.Thread(target=watch.follow, args=(made.hand, self.said.append, self._over))
        self._thread.start()

    def says(self, text: str) -> bool:
        """Whether the last line has this text, soon."""
        return wait_until(10, lambda: bool(self.said) and text in self.said[-1])

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr("harness.hand.watch.EACH", 0.02)
    with played(tmp_path) as made:
        one = Watched(made, instance(tmp_path / "mine"))
        yield one
        one.close()


def test_saving_a_file_is_enough(watched: Watched) -> None:
    (watched.folder / "new.txt").write_text("new")
    assert watched.says("gokrazy: new.txt changed: ")
    assert watched.says("mine runs: image made in")
    assert watched.made.appliance.asked == [f"update of {watched.folder}"]
    (watched.folder / "new.txt").write_text("newer")
    assert watched.says("nothing to do")
    assert len(watched.said) == 2, "what was seen is not seen again"


def test_many_files_are_one_change(watched: Watched, tmp_path: Path) -> None:
    # They come all at once, whenever it looks.
    many = tmp_path / "many"
    many.mkdir()
    for number in range(5):
        (many / f"{number}.txt").write_text("new")
    many.rename(watched.folder / "many")
    assert watched.says("2 more changed: ")
    assert len(watched.made.lab.images.made) == 1


def test_what_cannot_be_built_is_said_and_the_next_change_counts(watched: Watched) -> None:
    config = watched.folder / "config.json"
    good = config.read_text()
    config.write_text("{")
    assert watched.says("config.json changed: ")
    assert watched.made.lab.images.made == []
    config.write_text(good + "\n")
    assert watched.says("mine runs")


def test_an_update_that_fails_is_said(watched: Watched) -> None:
    watched.made.appliance.power.is_on = False
    (watched.folder / "new.txt").write_text("new")
    assert watched.says("new.txt changed: the machine is off")

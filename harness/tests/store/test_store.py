from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store.store import ABOUT, Entry, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.close()


def fill(folder: Path, size: int = 8192) -> dict[str, str]:
    (folder / "state").write_bytes(b"x" * size)
    return {"title": folder.name}


def test_what_is_there_is_not_made_again(store: Store) -> None:
    made: list[Path] = []

    def make(folder: Path) -> dict[str, str]:
        made.append(folder)
        return fill(folder)

    first = store.get("a", make)
    store.close()
    assert store.get("a", make).folder == first.folder
    assert len(made) == 1


def test_what_fails_to_be_made_leaves_nothing(store: Store) -> None:
    def make(folder: Path) -> dict[str, str]:
        fill(folder)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        store.get("a", make)
    assert not (store.root / "a").exists()
    assert store.get("a", fill).title == "a"


def test_two_who_need_the_same_make_it_once(tmp_path: Path) -> None:
    root = tmp_path / "store"
    made: list[int] = []
    waits = threading.Event()
    one, other = Store(root), Store(root, say=lambda _: waits.set())

    def make_slowly(folder: Path) -> dict[str, str]:
        made.append(1)
        # It does not go on before the other one has been seen to wait for it.
        assert waits.wait(10)
        return fill(folder)

    def make(folder: Path) -> dict[str, str]:
        made.append(2)
        return fill(folder)

    begun = threading.Event()

    def first(folder: Path) -> dict[str, str]:
        begun.set()
        return make_slowly(folder)

    thread = threading.Thread(target=one.get, args=("a", first))
    thread.start()
    assert begun.wait(10)
    other.get("a", make)
    thread.join(10)
    assert made == [1]
    one.close()
    other.close()


def test_who_saw_nothing_does_not_wait_for_one_who_has_made_and_uses_it(tmp_path: Path) -> None:
    root = tmp_path / "store"
    user = Store(root)

    class Late(Store):
        """Sees nothing at its first look: another one makes the entry right after it, and goes on using it."""

        looks = 0

        def _read(self, key: str) -> Entry | None:
            self.looks += 1
            if self.looks > 1:
                return super()._read(key)
            other = threading.Thread(target=user.get, args=(key, fill), daemon=True)
            other.start()
            other.join(10)
            assert not other.is_alive()
            return None

    late = Late(root)
    got: list[Entry] = []
    thread = threading.Thread(target=lambda: got.append(late.get("a", fill)), daemon=True)
    thread.start()
    thread.join(20)
    assert [entry.title for entry in got] == ["a"]
    late.close()
    user.close()


def test_what_a_killed_process_began_is_made_anew(tmp_path: Path, store: Store) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from harness.store.store import Store
def make(folder):
    (folder / "state").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
Store(Path(sys.argv[1])).get("a", make)
"""
    done = subprocess.run([sys.executable, "-c", program, str(store.root)], check=False)
    assert done.returncode == -9
    assert (store.root / "a" / "state").read_text() == "half"
    assert store.entries() == []
    assert (store.get("a", fill).folder / "state").stat().st_size == 8192


def test_pruning_takes_the_longest_unused_first_and_what_is_half_made(store: Store) -> None:
    for age, key in enumerate(("new", "middle", "old")):
        entry = store.get(key, fill)
        os.utime(entry.folder / ABOUT, (1000 - age, 1000 - age))
    store.close()
    (store.root / "half").mkdir()
    size = store.entries()[0].allocated()
    assert [entry.key for entry in store.prune(2 * size)] == ["old"]
    assert sorted(path.name for path in store.root.iterdir()) == ["locks", "middle", "new"]


def test_what_is_in_use_is_not_removed(store: Store) -> None:
    store.get("a", fill)
    assert Store(store.root).prune(0) == []
    store.close()
    assert [entry.key for entry in Store(store.root).prune(0)] == ["a"]


def test_an_entry_that_was_moved_does_not_count(tmp_path: Path) -> None:
    # A disk names the files under it by their absolute paths.
    Store(tmp_path / "here").get("a", fill)
    (tmp_path / "here").rename(tmp_path / "there")
    assert Store(tmp_path / "there").entries() == []


def test_a_link_to_a_file_of_somebody_else_takes_no_room(store: Store, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"i" * 65536)

    def make(folder: Path) -> dict[str, str]:
        (folder / "image").hardlink_to(image)
        return fill(folder)

    assert store.get("a", make).allocated() < 65536


def test_nobody_else_can_read_it(store: Store) -> None:
    entry = store.get("a", fill)
    assert store.root.stat().st_mode & 0o077 == 0
    assert entry.folder.stat().st_mode & 0o077 == 0

"""The cache: nothing half-made, nothing made twice, nothing taken away that is in use."""

import multiprocessing
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.build.cache import Cache, NotKept
from harness.errors import DISK_FULL, HostDiskFull
from harness.image.digest import content_digest
from harness.store.root import default_root

Made = Mapping[str, Any]


class Maker:
    """Counts how often it is asked to make something."""

    def __init__(self, content: bytes = b"disk") -> None:
        self.content = content
        self.calls = 0

    def __call__(self, work: Path, disk: Path) -> Made:
        self.calls += 1
        (work / "scratch").write_bytes(b"x")
        disk.write_bytes(self.content)
        return {"hostname": "vm", "digest": content_digest(disk)}


def test_made_once_then_found(tmp_path: Path) -> None:
    make = Maker()
    with Cache(tmp_path) as cache:
        first = cache.get("k", make)
        again = cache.get("k", make)
    assert make.calls == 1
    assert again.disk == first.disk
    assert first.disk.read_bytes() == b"disk"
    assert stat.S_IMODE(first.disk.stat().st_mode) == 0o444
    assert first.meta["hostname"] == "vm"
    assert list((tmp_path / "work").iterdir()) == []


def test_only_the_user_may_look(tmp_path: Path) -> None:
    with Cache(tmp_path / "new") as cache:
        cache.get("k", Maker())
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_failed_build_leaves_nothing_and_can_be_tried_again(tmp_path: Path) -> None:
    def fails(work: Path, disk: Path) -> Made:
        disk.write_bytes(b"half")
        raise KeyboardInterrupt

    with Cache(tmp_path) as cache:
        with pytest.raises(KeyboardInterrupt):
            cache.get("k", fails)
        assert cache.entries() == []
        assert list((tmp_path / "work").iterdir()) == []
        assert cache.get("k", Maker()).disk.read_bytes() == b"disk"


@pytest.mark.parametrize("number", DISK_FULL)
def test_a_full_disk_is_the_hosts_fault_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    def fails(work: Path, disk: Path) -> Made:
        disk.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    with Cache(tmp_path) as cache:
        with pytest.raises(HostDiskFull, match="no room on the disk"):
            cache.get("k", fails)
        assert list((tmp_path / "work").iterdir()) == []


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "work" / "k.12345" / "entry").mkdir(parents=True)
    (tmp_path / "images" / "k").mkdir(parents=True)
    (tmp_path / "images" / "k" / "disk.img").write_bytes(b"half")
    with Cache(tmp_path) as cache:
        assert cache.get("k", Maker()).disk.read_bytes() == b"disk"
    assert list((tmp_path / "work").iterdir()) == []


def test_a_changed_image_is_made_again(tmp_path: Path) -> None:
    make = Maker()
    with Cache(tmp_path) as cache:
        entry = cache.get("k", make)
        assert entry.verify()
        entry.disk.chmod(0o644)
        entry.disk.write_bytes(b"longer than before")
        assert cache.get("k", make).disk.read_bytes() == b"disk"
    assert make.calls == 2


def test_damage_that_keeps_size_and_time_is_found_on_request(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        entry = cache.get("k", Maker())
        times = entry.disk.stat()
        entry.disk.chmod(0o644)
        entry.disk.write_bytes(b"dosk")
        os.utime(entry.disk, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert not cache.get("k", Maker()).verify()


def test_prune_takes_the_longest_unused_and_spares_what_is_in_use(tmp_path: Path) -> None:
    size = 64 * 1024
    for number, key in enumerate(("old", "middle", "new")):
        with Cache(tmp_path) as cache:
            cache.get(key, Maker(os.urandom(size)))
        used = time.time() - 100 + number
        os.utime(tmp_path / "images" / key / "image.json", (used, used))
    user, pruner = Cache(tmp_path), Cache(tmp_path)
    with user, pruner:
        assert [entry.key for entry in pruner.entries()] == ["new", "middle", "old"]
        assert [entry.key for entry in pruner.prune(max_bytes=2 * size + 8192)] == ["old"]
        user.get("middle", Maker())
        assert [entry.key for entry in pruner.prune(max_bytes=0)] == ["new"]
    assert [entry.key for entry in Cache(tmp_path).entries()] == ["middle"]


def test_prune_removes_leftovers_and_kept_programs(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        with cache.programs("p") as folder:
            (folder / "binary").write_bytes(b"x")
        (tmp_path / "work" / "k.1").mkdir()
        cache.prune(max_bytes=1)
        assert (tmp_path / "programs" / "p" / "binary").exists()
        assert list((tmp_path / "work").iterdir()) == []
        cache.prune()
    assert list((tmp_path / "programs").iterdir()) == []


def test_a_scratch_folder_goes_with_its_user_and_spares_others(tmp_path: Path) -> None:
    (tmp_path / "work" / "scratch-dead.1").mkdir(parents=True)
    (tmp_path / "work" / "k.1").mkdir()
    first, second = Cache(tmp_path), Cache(tmp_path)
    with first, second, first.scratch() as mine:
        (mine / "file").touch()
        with second.scratch() as other:
            assert (mine / "file").exists()
            assert sorted((tmp_path / "work").iterdir()) == sorted([mine, other])
    assert list((tmp_path / "work").iterdir()) == []
    assert not list((tmp_path / "locks").glob("scratch-*"))


def _get_slowly(root: Path, log: Path, ready: Any) -> None:
    def make(work: Path, disk: Path) -> Made:
        with log.open("a") as file:
            file.write("made\n")
        ready.wait(5)  # the other process asks meanwhile
        disk.write_bytes(b"disk")
        return {"digest": "x"}

    with Cache(root) as cache:
        cache.get("k", make, progress=lambda _line: ready.set())
        with log.open("a") as file:
            file.write("got\n")


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    log = tmp_path / "log"
    both = [context.Process(target=_get_slowly, args=(tmp_path / "cache", log, ready)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(log.read_text().split()) == ["got", "got", "made"]


def test_where_it_is() -> None:
    assert default_root({"XDG_CACHE_HOME": "/x", "HOME": "/h"}) == Path("/x/gokharness")
    assert default_root({"HOME": "/h"}) == Path("/h/.cache/gokharness")


def test_one_that_may_not_make_images_hands_out_what_is_there(tmp_path: Path) -> None:
    def make(_work: Path, disk: Path) -> dict[str, str]:
        disk.write_bytes(b"disk")
        return {"hostname": "h"}

    looking = Cache(tmp_path, may_make=False)
    with pytest.raises(NotKept):
        looking.get("k", make)
    Cache(tmp_path).get("k", make)
    assert looking.get("k", make).disk.read_bytes() == b"disk"

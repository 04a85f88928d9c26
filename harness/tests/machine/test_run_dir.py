from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.errors import HostFault
from harness.machine import run_dir as run_dir_module
from harness.machine.run_dir import LockedFolder, RunDir, remove_leftovers, runtime_base


def test_the_folders_are_private_and_gone_afterwards(run_dir: RunDir) -> None:
    for path in (run_dir.path, run_dir.work, run_dir.folder("disk", bulky=True)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (run_dir.folder("firmware") / "vars").write_bytes(b"x")
    run_dir.close()
    assert not run_dir.path.exists()
    assert not run_dir.work.exists()


def test_closing_twice_does_nothing_more(run_dir: RunDir) -> None:
    run_dir.close()
    run_dir.close()


def test_leftovers_of_a_dead_owner_are_removed_and_those_of_a_living_one_are_not(tmp_path: Path) -> None:
    base = tmp_path / "base"
    living = LockedFolder.create(base)
    dead = LockedFolder.create(base)
    (dead.path / "disk.qcow2").write_bytes(b"x")
    os.close(dead.lock)
    no_lock_yet = base / "run-halfmade"
    no_lock_yet.mkdir()
    assert sorted(remove_leftovers(base)) == sorted([dead.path, no_lock_yet])
    assert living.path.exists()
    assert not dead.path.exists()
    living.remove()


def test_a_lock_held_by_another_process_protects_its_folder(tmp_path: Path) -> None:
    base = tmp_path / "base"
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from harness.machine.run_dir import LockedFolder
        print(LockedFolder.create(Path(sys.argv[1])).path, flush=True)
        sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(base)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        path = Path(owner.stdout.readline().strip())
        assert remove_leftovers(base) == []
        owner.kill()
        owner.wait()
        assert remove_leftovers(base) == [path]


def test_a_folder_that_its_owner_removes_meanwhile_is_no_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "base"
    LockedFolder.create(base).remove()
    gone = base / "run-gone"
    monkeypatch.setattr(Path, "glob", lambda *_: iter([gone]))
    assert remove_leftovers(base) == []


def test_a_symlink_among_the_leftovers_is_not_followed(tmp_path: Path) -> None:
    base = tmp_path / "base"
    LockedFolder.create(base).remove()
    precious = tmp_path / "precious"
    precious.mkdir()
    (base / "run-link").symlink_to(precious)
    assert remove_leftovers(base) == []
    assert precious.exists()


def test_a_base_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir(mode=0o755)
    with pytest.raises(HostFault, match="not a private folder"):
        LockedFolder.create(base)


def test_a_base_that_is_a_symlink_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / "base").symlink_to(elsewhere)
    with pytest.raises(HostFault, match="not a private folder"):
        LockedFolder.create(tmp_path / "base")


def test_a_long_runtime_folder_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    assert str(runtime_base()).startswith("/tmp/gokharness-")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert len(str(runtime_base())) < run_dir_module.LONGEST_BASE

"""KVM breaks under a real appliance: the run goes on under TCG, and says so.

A host with a KVM that first works and then does not cannot be had to order, so a script stands in for QEMU: asked
for KVM it takes TCG, and all but the trial end some seconds later, with KVM's words.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.store.root import default_root

pytestmark = [
    pytest.mark.gk_tier("nightly"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="KVM is tried for the host's own architecture only"),
    pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="no /dev/kvm, so nothing asks for it"),
]

SCRIPT = """#!/bin/sh
for a; do
    shift
    case $a in kvm) a=tcg; kvm=1 ;; host) a=max ;; -kernel) trial=1 ;; esac
    set -- "$@" "$a"
done
if [ "$kvm" ] && [ ! "$trial" ]; then
    (exec 3>&- 4>&- 5>&-; sleep SECONDS; echo "KVM internal error. Suberror: 1" >&2; kill -ABRT $$) &
fi
exec QEMU "$@"
"""
TEST = """
import threading

def test_mine(appliance):
    if appliance.power.spec.accelerator.name == "kvm":
        while True:
            appliance.check()
            threading.Event().wait(0.5)
    assert appliance.status()
"""


@pytest.mark.parametrize("seconds", [8, 90], ids=["while it starts", "during the test"])
def test_the_run_goes_on_under_tcg(tmp_path: Path, seconds: int) -> None:
    qemu = shutil.which("qemu-system-x86_64")
    assert qemu is not None
    script = tmp_path / "bin" / "qemu-system-x86_64"
    script.parent.mkdir()
    script.write_text(SCRIPT.replace("QEMU", qemu).replace("SECONDS", str(seconds)))
    script.chmod(0o755)
    (tmp_path / "test_mine.py").write_text(TEST)
    known = set(default_root().glob("kvm-*.json"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--gk-board=pc-bios", "--gk-warm=off"),
            *("--gk-time-factor=3", "test_mine.py"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    for record in set(default_root().glob("kvm-*.json")) - known:
        record.unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^gokrazy: pc-bios: .* kvm \(seen to run this kernel", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^note  pc-bios: KVM BROKE, .*Suberror: 1", done.stdout, re.MULTILINE)) == 1
    assert re.search(r"^1 passed|^=+ 1 passed", done.stdout, re.MULTILINE)

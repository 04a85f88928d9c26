"""Under which licences the modules of an image are, by the texts in Go's module cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.build.licences import NO_FILE, NO_GO, NOT_HERE, OWN, UNKNOWN, licences, licences_in
from harness.tests.outside import ROOT

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed here")

BSD = """Copyright (c) 2017 the gokrazy authors. All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are
met:

   * Redistributions of source code must retain the above copyright
notice, this list of conditions and the following disclaimer.
   * Redistributions in binary form must reproduce the above
copyright notice, this list of conditions and the following disclaimer
in the documentation and/or other materials provided with the
distribution.
   * Neither the name of gokrazy nor the names of
contributors may be used to endorse or promote products derived from
this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS
"AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT
LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR
A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT
OWNER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT
LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE,
DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY
THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT
(INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
"""
BROADCOM = (
    "This license file covers the following files:\n\n* bootcode.bin\n* start.elf\n\nOnly on a Raspberry Pi.\n"
)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"LICENSE": BSD}, ["BSD-3-Clause"]),
        ({"license.md": BSD, "COPYING": BSD}, ["BSD-3-Clause"]),
        ({"LICENSE": BSD, "LICENSE.broadcom": BROADCOM}, ["BSD-3-Clause", f"LICENSE.broadcom ({BROADCOM[:45]})"]),
        ({"LICENCE": "\n\n" + "x" * 300}, [f"LICENCE ({'x' * 60})"]),
        ({"LICENSE": ""}, ["LICENSE ()"]),
        ({"README.md": BSD, "licensing/x": BSD}, [NO_FILE]),
    ],
)
def test_a_licence_is_known_by_its_text_or_named_by_its_first_line(
    tmp_path: Path, files: dict[str, str], found: list[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert list(licences_in(tmp_path)) == found


@needs_go
def test_each_module_is_looked_up_where_go_keeps_it(tmp_path: Path) -> None:
    for name in ("a.test/!mixed!case@v1.0.0", "fork.test/b@v2.0.0"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "LICENSE").write_text(BSD)
    rows = {
        ("a.test/MixedCase", "v1.0.0"): ("BSD-3-Clause",),
        ("a.test/MixedCase", "v1.0.1"): (NOT_HERE,),
        ("b.test/b", "fork.test/b v2.0.0"): ("BSD-3-Clause",),
        ("c.test/own", "(local)"): (OWN,),
        ("d.test/own", "(devel)"): (OWN,),
    }
    environ = {"GOMODCACHE": str(tmp_path), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    assert licences(rows, environ) == rows
    assert all(text.startswith(UNKNOWN) for text in (NO_GO, NOT_HERE, NO_FILE, OWN))


@needs_go
def test_go_itself_has_one(tmp_path: Path) -> None:
    ((text,),) = licences([("std", "go1.26")]).values()
    root = Path(subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip())
    assert text == ("BSD-3-Clause" if (root / "LICENSE").is_file() else NO_FILE)


def test_without_go_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.build.go.sys.executable", str(tmp_path / "python"))
    assert licences([("a.test/a", "v1")], {"PATH": str(tmp_path)}) == {("a.test/a", "v1"): (NO_GO,)}


@pytest.mark.skipif(not (ROOT / "LICENSE").is_file(), reason="not a clone")
def test_this_project_is_what_it_says() -> None:
    assert licences_in(ROOT) == ("BSD-3-Clause",)

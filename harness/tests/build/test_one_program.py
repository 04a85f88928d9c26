"""One program of an instance, or of a folder: which one is meant, and what it is built with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.build.instance import Instance, load_instance
from harness.build.one_program import build_one
from harness.errors import BuildFailed, OptionError
from harness.image.gobinary import architecture, build_info

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed here")

SAYS = 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString(word) }\n'


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """An instance for arm64 with programs of a module beside it; the build tag "loud" has another word."""
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setenv("GOTOOLCHAIN", "local")
    folder, module = tmp_path / "instance", tmp_path / "p"
    (folder / "builddir").mkdir(parents=True)
    (folder / "builddir" / "go.mod").write_text(
        "module vm\n\ngo 1.21\n\nrequire example.test/p v0.0.0\n\nreplace example.test/p => ../../p\n"
    )
    for name in ("one", "two"):
        command = module / "cmd" / name
        command.mkdir(parents=True)
        (command / "main.go").write_text(SAYS)
        (command / "quiet.go").write_text(f'//go:build !loud\n\npackage main\n\nconst word = "quiet-{name}"\n')
        (command / "loud.go").write_text(f'//go:build loud\n\npackage main\n\nconst word = "loud-{name}"\n')
    (module / "library").mkdir()
    (module / "library" / "library.go").write_text("package library\n")
    (module / "go.mod").write_text("module example.test/p\n\ngo 1.21\n")
    settings = {"example.test/p/cmd/two": {"Basename": "second", "GoBuildTags": ["loud"]}}
    packages = [f"example.test/p/{name}" for name in ("cmd/one", "cmd/two", "library")]
    config = {"Hostname": "vm", "Environment": ["GOARCH=arm64"], "Update": {"HTTPPassword": "pw"}}
    (folder / "config.json").write_text(json.dumps({**config, "Packages": packages, "PackageConfig": settings}))
    return load_instance(folder)


@pytest.mark.parametrize(
    ("package", "service", "word"),
    [
        ("example.test/p/cmd/one", "/user/one", b"quiet-one"),
        ("one", "/user/one", b"quiet-one"),
        ("two", "/user/second", b"loud-two"),
        ("{p}/cmd/one", "/user/one", b"quiet-one"),
        ("{p}/cmd/two", "/user/second", b"loud-two"),
    ],
)
def test_it_is_built_as_for_the_image_and_belongs_to_its_service(
    instance: Instance, tmp_path: Path, package: str, service: str, word: bytes
) -> None:
    made = build_one(instance, package.format(p=tmp_path / "p"), tmp_path / "work")
    assert made.service == service
    program = made.program.read_bytes()
    assert architecture(program) == "arm64"
    assert build_info(program).package.startswith("example.test/p/cmd/")
    assert word in program


def test_nothing_is_written_beside_what_is_built(instance: Instance, tmp_path: Path) -> None:
    before = sorted(path for path in tmp_path.rglob("*"))
    build_one(instance, str(tmp_path / "p" / "cmd" / "one"), tmp_path / "work")
    assert sorted(path for path in tmp_path.rglob("*") if "work" not in path.parts) == before


@pytest.mark.parametrize(
    ("package", "what", "hint"),
    [
        ("three", "'three' is no folder, and no package of the instance", "example.test/p/cmd/one"),
        ("cmd/one", "'cmd/one' is no folder, and no package of the instance", "one of its packages"),
        ("./cmd/three", "'./cmd/three' is no folder, and no package of the instance", "one of its packages"),
        ("../three", "'../three' is no folder, and no package of the instance", "one of its packages"),
        ("library", "example.test/p/library is no program", "package main"),
        ("{p}/library", "example.test/p/library is no program", "package main"),
    ],
)
def test_what_is_no_program_is_refused(
    instance: Instance, tmp_path: Path, package: str, what: str, hint: str
) -> None:
    with pytest.raises(OptionError) as raised:
        build_one(instance, package.format(p=tmp_path / "p"), tmp_path / "work")
    assert what in raised.value.what
    assert hint in raised.value.hint


def test_a_folder_without_a_package_and_one_that_does_not_compile_are_gos_to_judge(
    instance: Instance, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildFailed, match="there is no Go package"):
        build_one(instance, str(tmp_path / "empty"), tmp_path / "first")
    (tmp_path / "p" / "cmd" / "one" / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(BuildFailed, match="does not compile"):
        build_one(instance, str(tmp_path / "p" / "cmd" / "one"), tmp_path / "second")

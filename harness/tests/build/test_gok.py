"""Building with gok, with a stand-in in its place that is as strict as gok and packs a small image."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.build import gok
from harness.build.build import BuildRequest, build
from harness.build.cache import Cache
from harness.build.inputs import folder_digest
from harness.build.request import BuildOptions, builder_of
from harness.errors import BuildFailed, OptionError, ToolMissing
from harness.image.model import Image
from harness.option import Option, rows

CONFIG: dict[str, Any] = {
    "Hostname": "amd",
    "Update": {"HTTPPassword": "pw"},
    "Environment": ["GOARCH=amd64"],
    "KernelPackage": "example.test/kernel",
    "FirmwarePackage": "",
    "EEPROMPackage": "",
    "GokrazyPackages": [],
    "Packages": ["example.com/hello"],
}
GO_MOD = """\
module example.test/appliance

go 1.24

require (
\texample.com/hello v0.0.0
\texample.test/kernel v0.0.0
\tgithub.com/gokrazy/gokrazy v0.0.0
)

replace (
\texample.com/hello => ../src/hello
\texample.test/kernel => ./kernel
\tgithub.com/gokrazy/gokrazy => ../src/gokrazy
)
"""


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """An instance that gok has never built: no builddir, and sources inside and beside of it."""
    folder = tmp_path / "gokrazy" / "vm"
    folder.mkdir(parents=True)
    write_config(folder)
    (folder / "go.mod").write_text(GO_MOD)
    source = tmp_path / "gokrazy" / "src"
    for path, module, text in (
        (source / "hello", "example.com/hello", "package main\n\nfunc main() {}\n"),
        (source / "gokrazy", "github.com/gokrazy/gokrazy", "package gokrazy\n"),
        (folder / "kernel", "example.test/kernel", "package kernel\n"),
    ):
        path.mkdir(parents=True)
        (path / "go.mod").write_text(f"module {module}\n\ngo 1.24\n")
        (path / "source.go").write_text(text)
    return folder


def write_config(folder: Path, **changes: object) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}, indent=1))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with the stand-in on PATH, which packs a small image."""
    return with_gok(tmp_path, f'exec {sys.executable} -P -m harness.tests.build.gok_stand_in "$@"')


def with_gok(folder: Path, text: str) -> dict[str, str]:
    """An environment in which the program gok is this shell script; it notes how it is called."""
    program = folder / "bin" / "gok"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$GOARCH $PWD $*" >> {folder}/said\n{text}\n')
    program.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "GOCACHE": str(Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "go-build"),
        "GOK_STAND_IN": "small",
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
    }


def overwrites(folder: Path) -> int:
    """How often gok was asked for an image."""
    said = folder / "said"
    return sum(" overwrite " in line for line in said.read_text().splitlines()) if said.exists() else 0


def run(folder: Path, environ: dict[str, str], **options: Any) -> Image:
    with Cache(folder.parents[1] / "cache") as cache:
        return build(BuildRequest(folder, **options), cache=cache, environ=environ)


def test_the_command_line() -> None:
    assert gok.command(Path("/usr/bin/gok"), Path("/some/where/vm"), Path("/out/disk.img"), size=1258299392) == [
        *("/usr/bin/gok", "-i", "vm", "--parent_dir", "/some/where"),
        *("overwrite", "--full=/out/disk.img", "--target_storage_bytes=1258299392"),
    ]


@pytest.mark.parametrize("builder", ["auto", "gok"])
def test_an_image_from_gok(instance: Path, tmp_path: Path, environ: dict[str, str], builder: str) -> None:
    before = folder_digest(tmp_path / "gokrazy")
    image = run(instance, environ, builder=builder, perm="blank")
    again = run(instance, environ, builder=builder, perm="blank")
    assert (image.builder, image.perm, image.instance) == ("gok", "blank", str(instance))
    assert "packed by gok github.com/gokrazy/tools v0.0.0-stand-in" in image.notes
    assert again.path == image.path
    assert overwrites(tmp_path) == 1, "the second build is a hit"
    assert folder_digest(tmp_path / "gokrazy") == before, "the instance and its neighbours are as they were"
    assert not (instance / "builddir").exists()
    (made,) = (line for line in (tmp_path / "said").read_text().splitlines() if " overwrite " in line)
    assert made.startswith("amd64 ")
    assert f"{instance.parent} overwrite" in made, "the copy lies at the instance's own path"
    assert list((tmp_path / "cache" / "work").iterdir()) == []


def test_what_only_the_sources_tell_is_in_the_image(
    instance: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    settings = {"DontStart": True, "CommandLineFlags": ["-v"]}
    write_config(instance, PackageConfig={"example.com/hello": settings})
    image = run(instance, environ)
    assert (image.kernel.package, image.kernel.version) == ("example.test/kernel", "(local)")
    assert image.modules["example.test/kernel"] == "(local)"
    hello = image.service("hello")
    assert hello is not None
    assert (hello.starts, hello.args) == ("manual", ("-v",))


def test_a_version_that_cannot_be_had_is_said_to_be_unknown(instance: Path, environ: dict[str, str]) -> None:
    (instance / "go.mod").write_text("module example.test/appliance\n\ngo 1.24\n")
    image = run(instance, environ)
    assert image.kernel.version == ""
    assert "example.test/kernel" not in image.modules
    assert any(
        note.startswith("the versions of kernel and firmware packages are not known") for note in image.notes
    )


def test_what_gok_chose_the_version_of_is_said(instance: Path, tmp_path: Path) -> None:
    write_config(instance, Packages=["example.com/hello", "example.org/late/cmd/late"])
    late = "$4/$2/builddir/example.org/late/cmd/late/go.mod"
    environ = with_gok(
        tmp_path,
        f'{sys.executable} -P -m harness.tests.build.gok_stand_in "$@" || exit\n'
        f'[ "$5" != overwrite ] || echo "require example.org/late v1.0.0" >> "{late}"',
    )
    notes = [note for note in run(instance, environ).notes if "pins" in note]
    assert len(notes) == 1
    assert notes[0].startswith("no go.mod of the instance pins example.org/late: gok took the latest version")


def test_a_formatted_perm_is_said_to_be_no_work_of_gok(
    instance: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    image = run(instance, environ)
    assert image.perm == "ext4"
    assert "gok leaves /perm unformatted: it was given an ext4 afterwards" in image.notes


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("go.mod", GO_MOD + "// changed\n"),
        ("kernel/more.go", "package kernel\n"),
        ("../src/hello/more.go", "package main\n"),
    ],
)
def test_what_goes_in_is_what_the_cache_goes_by(
    instance: Path, tmp_path: Path, environ: dict[str, str], path: str, text: str
) -> None:
    image = run(instance, environ)
    (instance / "disk.img").write_text("somebody's image")
    assert run(instance, environ).path == image.path, "what nothing names does not matter"
    (instance / path).write_text(text)
    assert run(instance, environ).path != image.path


def test_an_update_is_built_by_gok_as_well_and_tells_itself_apart(
    instance: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    first = run(instance, environ, builder="gok")
    following = run(instance, environ, builder="gok", after=first)
    assert (first.builder, following.builder) == ("gok", "gok")
    assert following.build > first.build
    assert following.digest != first.digest
    assert run(instance, environ, builder="gok", after=first).path == following.path
    assert overwrites(tmp_path) == 2


@pytest.mark.parametrize("builder", ["own", "gok"])
def test_an_update_comes_from_the_builder_of_the_image(
    instance: Path, environ: dict[str, str], small_image: Path, builder: Any
) -> None:
    from dataclasses import replace

    from harness.image.load import load_raw

    first = replace(load_raw(small_image), builder=builder)
    assert builder_of(BuildRequest(instance, after=first), environ) == builder
    assert builder_of(BuildRequest(instance, after=first), {"PATH": ""}) == builder


def test_gok_fails(instance: Path, tmp_path: Path) -> None:
    environ = with_gok(tmp_path, 'echo "it does not work in $PWD/here" >&2; exit 3')
    with pytest.raises(BuildFailed) as raised:
        run(instance, environ, builder="gok")
    assert "status 3" in raised.value.what
    assert raised.value.where == str(instance)
    assert raised.value.evidence == "it does not work in /here"
    assert list((tmp_path / "cache" / "work").iterdir()) == []


def test_gok_writes_no_image(instance: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    write_config(instance, InternalCompatibilityFlags={"OverwriteInit": "init.go"})
    with pytest.raises(BuildFailed, match="gok wrote no image"):
        run(instance, environ)
    assert not (instance / "init.go").exists()


@pytest.mark.parametrize(
    ("size", "says"),
    [
        (1258299393, "--target_storage_bytes must be a multiple of 512"),
        (512, "--target_storage_bytes must be at least 1258299392"),
    ],
)
def test_what_gok_refuses_is_told_in_its_own_words(
    instance: Path, environ: dict[str, str], size: int, says: str
) -> None:
    with pytest.raises(BuildFailed) as raised:
        run(instance, environ, size=size)
    assert says in raised.value.evidence


@pytest.mark.parametrize("device", ["rock64", "nanopi_neo"])
def test_a_device_type_gets_a_disk_that_gok_accepts(instance: Path, environ: dict[str, str], device: str) -> None:
    write_config(instance, DeviceType=device)
    assert run(instance, environ, perm="blank").builder == "gok"


def test_gok_is_missing(instance: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="gok is not on PATH"):
        run(instance, {"PATH": "/nowhere", "HOME": str(tmp_path)}, builder="gok")


def test_what_gok_cannot_be_told_is_refused(instance: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--gk-kernel, --gk-fast-boot"):
        run(instance, {"HOME": str(tmp_path)}, builder="gok", kernel="x@v1", fast_boot=True)


def sample(option: Option) -> object:
    """A value of an option that is not its default."""
    return option.choices[-1] if option.choices else {"flag": True, "list": ("x@v1",), "text": "x"}[option.kind]


def test_the_rows_that_gok_can_build_are_these() -> None:
    assert {option.name for option in rows(BuildOptions) if option.gok} == {"builder", "perm"}
    assert not Option("new", "an option that nobody thought about").gok


@pytest.mark.parametrize("option", rows(BuildOptions), ids=lambda option: option.name)
def test_an_option_that_gok_cannot_build_is_not_dropped(
    instance: Path, environ: dict[str, str], option: Option
) -> None:
    said: dict[str, Any] = {option.field: sample(option)}
    request = BuildRequest.of(instance, BuildOptions(**said))
    assert getattr(request, option.field) == sample(option)
    if option.name == "builder":
        return
    assert builder_of(request, environ) == ("gok" if option.gok else "own")
    asked = BuildRequest.of(instance, BuildOptions(**said, builder="gok"))
    if option.gok:
        assert builder_of(asked, environ) == "gok"
    else:
        with pytest.raises(OptionError, match=f"gok cannot do {option.flag}\n"):
            builder_of(asked, environ)


def test_what_gok_cannot_be_told_is_built_by_the_own_packer(instance: Path, environ: dict[str, str]) -> None:
    assert builder_of(BuildRequest(instance, fast_boot=True), environ) == "own"
    assert builder_of(BuildRequest(instance), environ) == "gok"

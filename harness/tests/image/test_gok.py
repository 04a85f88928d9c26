"""Building with gok: only the command line, with a script in its place.

The module that has the real gok is not available where this was written, so that it writes the image which this
script pretends to write is untried.
"""

from pathlib import Path

import pytest

from harness.errors import BuildFailed, OptionError, ToolMissing
from harness.image import gok
from harness.image.build import BuildRequest, build
from harness.image.cache import Cache
from harness.image.config import Config
from harness.image.instance import Instance

CONFIG = (
    '{"Hostname": "amd", "Update": {"HTTPPassword": "pw"}, "Environment": ["GOARCH=amd64"],'
    ' "KernelPackage": "github.com/gokrazy/kernel.amd64"}'
)


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    folder = tmp_path / "gokrazy" / "vm"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(CONFIG)
    return folder


def script(folder: Path, text: str) -> dict[str, str]:
    """An environment in which the program gok is this shell script."""
    import os

    program = folder / "bin" / "gok"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(folder)}


def test_the_command_line(tmp_path: Path) -> None:
    made = Instance(tmp_path / "vm", Config(file=tmp_path, hostname="x"), "amd64")
    assert gok.command(Path("/usr/bin/gok"), made, Path("/out/disk.img"), size=1258299392) == [
        *("/usr/bin/gok", "-i", "vm", "--parent_dir", str(tmp_path)),
        *("overwrite", "--full=/out/disk.img", "--target_storage_bytes=1258299392"),
    ]


def test_an_image_from_gok(instance: Path, tmp_path: Path, small_image: Path) -> None:
    environ = script(
        tmp_path,
        f'echo "$GOARCH $PWD $*" > {tmp_path}/said\n'
        f'for a; do case $a in --full=*) cp {small_image} "${{a#--full=}}";; esac; done',
    )
    with Cache(tmp_path / "cache") as cache:
        image = build(BuildRequest(instance, perm="blank"), cache=cache, environ=environ)
        (tmp_path / "bin" / "called").touch()
        again = build(BuildRequest(instance, builder="gok", perm="blank"), cache=cache, environ=environ)
    assert image.builder == "gok"
    assert image.perm == "blank"
    assert image.instance == str(instance)
    assert again.path == image.path
    said = (tmp_path / "said").read_text()
    assert said.startswith(f"amd64 {instance} -i vm --parent_dir {instance.parent} overwrite --full=")


def test_gok_fails(instance: Path, tmp_path: Path) -> None:
    environ = script(tmp_path, "echo it does not work >&2; exit 3")
    with Cache(tmp_path / "cache") as cache, pytest.raises(BuildFailed) as raised:
        build(BuildRequest(instance, builder="gok"), cache=cache, environ=environ)
    assert "status 3" in raised.value.what
    assert raised.value.evidence == "it does not work"
    assert list((tmp_path / "cache" / "work").iterdir()) == []


def test_gok_is_missing(instance: Path, tmp_path: Path) -> None:
    with Cache(tmp_path / "cache") as cache, pytest.raises(ToolMissing, match="gok is not on PATH"):
        build(
            BuildRequest(instance, builder="gok"), cache=cache, environ={"PATH": "/nowhere", "HOME": str(tmp_path)}
        )


def test_what_gok_cannot_do_is_refused(instance: Path, tmp_path: Path) -> None:
    request = BuildRequest(instance, builder="gok", kernel="x@v1", fast_boot=True)
    with Cache(tmp_path / "cache") as cache, pytest.raises(OptionError, match="kernel, fast_boot"):
        build(request, cache=cache, environ={"HOME": str(tmp_path)})

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.build.go import STEADY
from harness.image.gobinary import architecture, build_info, build_timestamp, string_variable
from harness.tests.image.synthetic import STAMP, elf
from harness.tests.image.synthetic import build_info as block


def test_architectures() -> None:
    assert architecture(elf("amd64")) == "amd64"
    assert architecture(elf("arm64")) == "arm64"
    other = bytearray(elf())
    other[18] = 8
    assert architecture(bytes(other)) == "ELF machine 8"
    assert architecture(b"#!/bin/sh\n" * 3) is None
    assert architecture(b"") is None


def test_modules_and_package() -> None:
    info = build_info(elf(rest=block("example.com/x", ("example.com/a", "v1.2.3"), ("example.com/b", "(devel)"))))
    assert info.package == "example.com/x"
    assert info.go == "go1.26.8"
    assert info.modules == {"example.com/a": "v1.2.3", "example.com/b": "(devel)"}
    assert build_info(elf()).package == ""


def test_a_replacement_says_what_took_the_place_but_no_folder_of_the_host() -> None:
    of_host = ("a.test/b", "v1\th1:x=\n=>\t/home/somebody/b\t(devel)")
    beside = ("a.test/c", "v1\th1:x=\n=>\t./local/c\t(devel)")
    other = ("a.test/d", "v1\th1:x=\n=>\tb.test/d\tv2")
    info = build_info(elf(rest=block("example.com/x", of_host, beside, other)))
    assert info.modules == {"a.test/b": "(local)", "a.test/c": "(local)", "a.test/d": "b.test/d v2"}


def test_the_time_stamp_is_the_variables_value() -> None:
    noise = b"2006-01-02T15:04:05Z07:00 and 2020-01-01T00:00:00Z"
    assert build_timestamp(elf(variables={"main.buildTimestamp": STAMP}, rest=noise)) == STAMP


def test_without_symbols_a_time_stamp_must_be_the_only_one() -> None:
    assert build_timestamp(elf(rest=b"2006-01-02T15:04:05Z07:00xx2026-07-05T09:07:35+02:00yy")) == (
        "2026-07-05T09:07:35+02:00"
    )
    assert build_timestamp(elf(rest=b"2026-07-05T07:07:35Z 2026-07-06T07:07:35Z")) == ""
    assert build_timestamp(elf()) == ""


@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8), cut=st.integers(0, 900))
@example(changes=[(39, 128)], cut=0)  # a table further away than any file is long
def test_damaged_programs_say_nothing(changes: list[tuple[int, int]], cut: int) -> None:
    program = bytearray(elf(variables={"main.buildTimestamp": STAMP}, rest=block("a.b/c", ("a.b/d", "v1"))))
    for offset, value in changes:
        program[offset % len(program)] = value
    for data in (bytes(program), bytes(program[:cut])):
        architecture(data)
        build_info(data)
        build_timestamp(data)


def test_a_real_program(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    (tmp_path / "go.mod").write_text("module example.com/tiny\n\ngo 1.21\n")
    (tmp_path / "main.go").write_text(
        f'package main\n\nvar buildTimestamp = "{STAMP}"\n\nfunc main() {{ println(buildTimestamp) }}\n'
    )
    # The flags of the images: what Go compiled for one of them is there.
    flags = {"GOFLAGS": " ".join(STEADY), "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOOS": "linux"}
    for arch in ("amd64", "arm64"):
        environment = {**os.environ, **flags, "GOARCH": arch}
        subprocess.run([go, "build", "-o", arch, "."], cwd=tmp_path, env=environment, check=True)
        program = (tmp_path / arch).read_bytes()
        assert architecture(program) == arch
        assert build_info(program).package == "example.com/tiny"
        assert build_timestamp(program) == STAMP
        assert string_variable(program, "main.nope") is None

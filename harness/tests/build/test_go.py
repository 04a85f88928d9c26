"""The Go toolchain, with programs that need nothing but Go's own library: no network."""

import json
import os
import shutil
from pathlib import Path

import pytest

from harness.build.go import GoToolchain, Package, Program
from harness.build.gomod import module_roots
from harness.build.init_program import go_string, init_source
from harness.errors import BuildFailed, HostDiskFull, ModuleUnavailable, ToolMissing
from harness.image.model import Service

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed here")
HELLO = 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString(greeting) }\n'


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    folder = tmp_path / "instance"
    (folder / "builddir").mkdir(parents=True)
    (folder / "builddir" / "go.mod").write_text(
        "module gokrazy/build/vm\n\ngo 1.21\n\nrequire gokrazy.test/p v0.0.0\n\nreplace gokrazy.test/p => ../p\n"
    )
    for name in ("one", "two"):
        (folder / "p" / "cmd" / name).mkdir(parents=True)
        (folder / "p" / "cmd" / name / "main.go").write_text(HELLO)
        (folder / "p" / "cmd" / name / "g.go").write_text(f'package main\n\nconst greeting = "{name}"\n')
    (folder / "p" / "go.mod").write_text("module gokrazy.test/p\n\ngo 1.21\n")
    return folder


@pytest.fixture
def go(tmp_path: Path) -> GoToolchain:
    # Go's own caches stay: a clean one would compile the library for every test.
    environ = {**os.environ, "GOPROXY": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    return GoToolchain.find(arch="amd64", build_env={}, environ=environ)


def build(go: GoToolchain, instance: Path, work: Path) -> dict[str, Path]:
    (root,) = module_roots(instance, ["gokrazy.test/p/cmd/one", "gokrazy.test/p/cmd/..."])
    work.mkdir(parents=True)
    root.stage(work / "stage")
    packages, unpinned = go.resolve(root, work / "stage")
    assert unpinned == []
    assert {package.path for package in packages} == {"gokrazy.test/p/cmd/one", "gokrazy.test/p/cmd/two"}
    assert all(package.is_program and package.version == "(local)" for package in packages)
    programs = [Program(package.path, package.basename, f"user-{package.basename}") for package in packages]
    (work / "keep").mkdir()
    go.build(root, work / "stage", programs, keep=work / "keep", out=work / "out")
    return {path.name: path for path in (work / "out").iterdir()}


@needs_go
def test_the_same_bytes_from_two_folders_without_a_path_of_this_machine(
    go: GoToolchain, instance: Path, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere" / "deeper" / "instance"
    shutil.copytree(instance, other)
    before = {path: path.read_bytes() for path in instance.rglob("*") if path.is_file()}
    first = build(go, instance, tmp_path / "work1")
    second = build(go, other, tmp_path / "work2")
    assert set(first) == {"user-one", "user-two"}
    for name, path in first.items():
        data = path.read_bytes()
        assert data == second[name].read_bytes()
        assert str(tmp_path).encode() not in data
        assert os.path.expanduser("~/go").encode() not in data
    assert {path: path.read_bytes() for path in instance.rglob("*") if path.is_file()} == before
    infos = go.build_info(list(first.values()))
    assert set(infos) == set(first.values())
    info = infos[first["user-one"]]
    assert info.startswith("go\tgo1.")
    assert "\nmod\tgokrazy.test/p\t" in info
    assert "./local/gokrazy.test__p" in info


@needs_go
def test_only_the_changed_program_is_linked_again(go: GoToolchain, instance: Path, tmp_path: Path) -> None:
    (root,) = module_roots(instance, ["gokrazy.test/p/cmd/..."])
    keep = tmp_path / "keep"
    keep.mkdir()
    programs = [Program(f"gokrazy.test/p/cmd/{name}", name, name) for name in ("one", "two")]

    def inodes(work: Path) -> dict[str, int]:
        root.stage(work / "stage")
        go.build(root, work / "stage", programs, keep=keep, out=work / "out")
        # Go touches what it finds up to date, but puts a new file where it linked.
        return {path.name: path.stat().st_ino for path in keep.rglob("*") if path.is_file()}

    first = inodes(tmp_path / "work1")
    (instance / "p" / "cmd" / "two" / "g.go").write_text('package main\n\nconst greeting = "new"\n')
    second = inodes(tmp_path / "work2")
    assert second["one"] == first["one"]
    assert second["two"] != first["two"]
    assert b"new" in (tmp_path / "work2" / "out" / "two").read_bytes()


@needs_go
def test_a_compile_error_shows_the_compilers_lines(go: GoToolchain, instance: Path, tmp_path: Path) -> None:
    (instance / "p" / "cmd" / "one" / "g.go").unlink()
    with pytest.raises(BuildFailed) as raised:
        build(go, instance, tmp_path / "work")
    assert "gokrazy.test/p/cmd/one" in raised.value.what
    assert f"{instance}/p/cmd/one/main.go:5:" in raised.value.evidence
    assert "undefined: greeting" in raised.value.evidence


@needs_go
def test_a_module_that_cannot_be_had(go: GoToolchain, instance: Path, tmp_path: Path) -> None:
    (root,) = module_roots(instance, ["gokrazy.test/elsewhere/cmd/x"])
    root.stage(tmp_path / "stage")
    with pytest.raises(ModuleUnavailable) as raised:
        go.resolve(root, tmp_path / "stage")
    assert "gokrazy.test/elsewhere/cmd/x" in raised.value.what
    assert "GOPROXY" in raised.value.hint


@needs_go
def test_facts_tell_what_goes_into_binaries(go: GoToolchain, instance: Path, tmp_path: Path) -> None:
    (root,) = module_roots(instance, ["gokrazy.test/p/cmd/one"])
    root.stage(tmp_path / "stage")
    facts = go.facts(tmp_path / "stage")
    assert facts["GOVERSION"] == go.version
    assert (facts["GOARCH"], facts["CGO_ENABLED"]) == ("amd64", "0")


def test_go_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(ToolMissing, match="Go is not installed"):
        GoToolchain.find(arch="amd64", build_env={}, environ={"PATH": "/nowhere"})


def test_go_is_too_old(tmp_path: Path) -> None:
    fake = tmp_path / "go"
    fake.write_text("#!/bin/sh\necho go1.19.8\n")
    fake.chmod(0o755)
    with pytest.raises(ToolMissing, match=r"too old: go1\.19\.8"):
        GoToolchain.find(arch="amd64", build_env={}, environ={"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b", "b"), ("a/b/v2", "b"), ("a/b/v1", "v1"), ("a/b/v10", "b"), ("a/v0", "v0"), ("v2", "v2")],
)
def test_the_name_of_a_program(path: str, name: str) -> None:
    assert Package(path, Path(), True, "", "").basename == name


def test_init_starts_services_as_they_are_configured() -> None:
    services = [
        Service("/gokrazy/ntp"),
        Service("/user/a", args=('-x="1"', "-y"), starts="manual"),
        Service("/user/b", starts="after-clock"),
    ]
    source = init_source(services, {"/user/b": ("A=b",)}, timestamp="2026-01-01T00:00:00Z")
    assert 'const buildTimestamp = "2026-01-01T00:00:00Z"' in source
    started = [line.strip() for line in source.splitlines() if "(command(" in line]
    assert started == [
        'gokrazy.NewService(command("/gokrazy/ntp", nil, nil)),',
        'gokrazy.NewStoppedService(command("/user/a", []string{"-x=\\"1\\"", "-y"}, nil)),',
        'gokrazy.NewWaitForClockService(command("/user/b", nil, []string{"A=b"})),',
    ]


def test_go_strings() -> None:
    text = 'a"\\\n\té\U0001f600'
    assert go_string(text) == '"a\\"\\\\\\u000a\\u0009\\u00e9\\U0001f600"'
    assert json.loads(go_string("a\nb")) == "a\nb"


def go_that_fails(folder: Path, said: str) -> GoToolchain:
    """A toolchain whose go says this, and fails."""
    fake = folder / "go"
    fake.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
    fake.chmod(0o755)
    return GoToolchain(fake, version="go1.21.3", env={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize(
    ("said", "needed"),
    [
        ("go: go.mod requires go >= 1.99.0 (running go 1.21.3; GOTOOLCHAIN=local)", "1.99.0"),
        ("go: example.test/p@v1.0.0 requires go >= 1.99 (running go 1.21.3)", "1.99"),
        (
            "go: downloading go1.99.1 (linux/amd64)\n"
            "go: download go1.99.1: golang.org/toolchain@v0.0.1-go1.99.1.linux-amd64: 404 Not Found",
            "1.99.1",
        ),
        ("go: download go1.99.1 for linux/amd64: toolchain not available", "1.99.1"),
        ("package p requires newer Go version go1.99", "1.99"),
    ],
)
def test_a_go_that_is_too_old_for_a_go_mod_is_a_missing_tool(tmp_path: Path, said: str, needed: str) -> None:
    with pytest.raises(ToolMissing) as raised:
        go_that_fails(tmp_path, said).facts(tmp_path)
    assert raised.value.what == f"Go is too old: go1.21.3, and {needed} is needed"
    assert raised.value.where == str(tmp_path / "go")
    assert said.splitlines()[-1] in raised.value.evidence


def test_a_toolchain_that_is_fetched_and_a_module_that_is_not_there_is_no_old_go(tmp_path: Path) -> None:
    said = "go: downloading go1.99.1 (linux/amd64)\ngo: example.test/p@v1.0.0: 404 Not Found"
    with pytest.raises(ModuleUnavailable):
        go_that_fails(tmp_path, said).facts(tmp_path)


def test_a_proxy_that_does_not_know_the_host_of_a_module_is_no_fault_of_a_program(tmp_path: Path) -> None:
    said = "go: module example.test/p: reading https://proxy.example/example.test/p/@v/list: 400 Bad Request"
    with pytest.raises(ModuleUnavailable):
        go_that_fails(tmp_path, said).facts(tmp_path)


@pytest.mark.parametrize("why", ["no space left on device", "disk quota exceeded"])
def test_a_full_disk_may_be_that_of_the_cache(tmp_path: Path, why: str) -> None:
    said = f"go build: copying /tmp/a.out: write /cache/programs/x: {why}"
    with pytest.raises(HostDiskFull) as raised:
        go_that_fails(tmp_path, said).facts(tmp_path)
    assert "--gk-cache, GOCACHE, TMPDIR" in raised.value.hint
    assert said in raised.value.evidence


@needs_go
def test_a_package_without_a_go_mod_is_missed_in_builddir(go: GoToolchain, tmp_path: Path) -> None:
    (root,) = module_roots(tmp_path, ["gokrazy.test/elsewhere/cmd/x"])
    root.stage(tmp_path / "stage")
    with pytest.raises(ModuleUnavailable) as raised:
        go.resolve(root, tmp_path / "stage")
    assert raised.value.where == "no go.mod in builddir"

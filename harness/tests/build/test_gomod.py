"""Which go.mod a package is built with, and the staged copy of it."""

from pathlib import Path

import pytest

from harness.build.gomod import module_roots, parse_gomod
from harness.errors import ConfigError

GOMOD = """\
module gokrazy/build/vm // a comment

go 1.24.0

require example.com/single v1.0.0

require (
	example.com/a v1.2.3
	"example.com/b" v0.0.0-20250101000000-abcdefabcdef // indirect
)

replace example.com/a => ../../a

replace (
	example.com/b v0.0.0-20250101000000-abcdefabcdef => `../../b`
	example.com/c => example.com/fork v1.0.0
)
"""


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    folder = tmp_path / "gokrazy" / "vm"
    (folder / "builddir").mkdir(parents=True)
    (tmp_path / "gokrazy" / "a").mkdir()
    (tmp_path / "gokrazy" / "b").mkdir()
    return folder


def test_directives_in_both_forms() -> None:
    mod = parse_gomod(GOMOD, "go.mod")
    assert mod.module == "gokrazy/build/vm"
    assert dict(mod.requires) == {
        "example.com/single": "v1.0.0",
        "example.com/a": "v1.2.3",
        "example.com/b": "v0.0.0-20250101000000-abcdefabcdef",
    }
    assert [(r.old, r.new, r.is_local) for r in mod.replaces] == [
        ("example.com/a", "../../a", True),
        ("example.com/b", "../../b", True),
        ("example.com/c", "example.com/fork", False),
    ]


def test_an_incomplete_directive_names_its_line() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_gomod("module x\nreplace example.com/a =>\n", "builddir/go.mod")
    assert raised.value.where == "builddir/go.mod:2"


def test_the_nearest_gomod_counts(instance: Path) -> None:
    for name in ("", "github.com/gokrazy", "github.com/gokrazy/breakglass"):
        (instance / "builddir" / name).mkdir(parents=True, exist_ok=True)
        (instance / "builddir" / name / "go.mod").write_text("module x\n")
    roots = module_roots(
        instance, ["github.com/gokrazy/breakglass", "github.com/gokrazy/gokrazy/cmd/dhcp", "example.com/x/..."]
    )
    assert {root.label: root.packages for root in roots} == {
        "builddir/github.com/gokrazy/breakglass/go.mod": ("github.com/gokrazy/breakglass",),
        "builddir/github.com/gokrazy/go.mod": ("github.com/gokrazy/gokrazy/cmd/dhcp",),
        "builddir/go.mod": ("example.com/x/...",),
    }


def test_the_instances_own_gomod_is_the_template(instance: Path) -> None:
    (instance / "go.mod").write_text("module vm\nreplace example.com/a => ../a\n")
    (root,) = module_roots(instance, ["example.com/a"])
    assert root.label == "go.mod"
    assert root.links == {"example.com__a": instance.parent / "a"}


def test_without_any_gomod(instance: Path) -> None:
    (root,) = module_roots(instance, ["example.com/a"])
    assert (root.folder, root.mod.module) == (None, "gokrazy/build/instance")


def test_staging_leaves_the_instance_alone_and_no_path_in_the_copy(instance: Path, tmp_path: Path) -> None:
    (instance / "builddir" / "go.mod").write_text(GOMOD)
    before = sorted(instance.rglob("*"))
    (root,) = module_roots(instance, ["example.com/a"])
    stage = tmp_path / "stage"
    root.stage(stage)
    text = (stage / "go.mod").read_text()
    assert "replace example.com/a => ./local/example.com__a\n" in text
    assert "example.com/b v0.0.0-20250101000000-abcdefabcdef => ./local/example.com__b__v0.0.0-2025" in text
    assert "example.com/c => example.com/fork v1.0.0" in text
    assert str(tmp_path) not in text
    assert (stage / "local" / "example.com__a").resolve() == instance.parent / "a"
    assert sorted(instance.rglob("*")) == before


def test_packages_of_the_main_module_are_linked_beside_the_copy(instance: Path, tmp_path: Path) -> None:
    (instance / "builddir" / "go.mod").write_text("module example.com/me\n")
    (instance / "builddir" / "cmd").mkdir()
    (root,) = module_roots(instance, ["example.com/me/cmd"])
    root.stage(tmp_path / "stage")
    assert (tmp_path / "stage" / "cmd").resolve() == instance / "builddir" / "cmd"
    assert not (tmp_path / "stage" / "go.mod").is_symlink()


def test_compiler_messages_get_the_real_paths_back(instance: Path) -> None:
    (instance / "builddir" / "go.mod").write_text(GOMOD)
    (root,) = module_roots(instance, ["example.com/a"])
    assert root.real_paths("./local/example.com__a/x.go:1:2: oops") == f"{instance.parent / 'a'}/x.go:1:2: oops"


def test_a_replacement_that_is_not_there(instance: Path) -> None:
    (instance / "builddir" / "go.mod").write_text("module x\n\nreplace example.com/a => ../nowhere\n")
    with pytest.raises(ConfigError) as raised:
        module_roots(instance, ["example.com/a"])
    assert raised.value.where.endswith("builddir/go.mod:3")

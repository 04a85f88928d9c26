"""The instances in images/others/ are as gok leaves them: unpinned, and with stand-ins that do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from harness.build.config import read_config
from harness.build.gomod import parse_gomod
from harness.tests.go_checks import must_pass, unformatted

OTHERS = Path(__file__).parents[2] / "images/others"
STUBS = OTHERS / "stubs"
INSTANCES = sorted(path.parent.name for path in OTHERS.glob("*/config.json"))
KEY = Path(__file__).parent / "data/others/id_ed25519"
ONE_GO_MOD_FOR_ALL = {"vendor"}


def gomods(instance: str) -> list[Path]:
    return sorted((OTHERS / instance / "builddir").rglob("go.mod"))


def test_the_table_names_them_all() -> None:
    rows = re.findall(r"^\| (`.*?) \|", (OTHERS / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`(.+?)`", row)) == INSTANCES


@pytest.mark.parametrize("instance", INSTANCES)
def test_the_host_name_is_the_folder(instance: str) -> None:
    assert read_config(OTHERS / instance / "config.json").hostname == instance


@pytest.mark.parametrize("instance", sorted(set(INSTANCES) - ONE_GO_MOD_FOR_ALL))
def test_it_is_unpinned_as_gok_add_leaves_it(instance: str) -> None:
    assert not list((OTHERS / instance / "builddir").rglob("go.sum"))
    for path in gomods(instance):
        (required,) = parse_gomod(path.read_text("utf-8"), str(path)).requires
        place = path.parent.relative_to(OTHERS / instance / "builddir").as_posix()
        assert f"{place}/".startswith(f"{required}/"), "a go.mod is where gok looks for that of its package"


@pytest.mark.parametrize("instance", INSTANCES)
def test_what_is_replaced_is_there(instance: str) -> None:
    for path in gomods(instance):
        for replace in parse_gomod(path.read_text("utf-8"), str(path)).replaces:
            if not replace.is_local:
                continue
            assert not replace.new.startswith("/")
            text = (path.parent / replace.new / "go.mod").read_text("utf-8")
            assert parse_gomod(text, replace.new).module == replace.old


def test_a_key_in_an_image_has_its_other_half_in_the_tests() -> None:
    private = load_ssh_private_key(KEY.read_bytes(), None)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    carried = [path for path in OTHERS.rglob("*authorized_keys") if path.is_file()]
    assert carried
    for path in carried:
        assert re.findall(r"^(ssh-\S+ \S+)", path.read_text("utf-8"), re.MULTILINE) == [public]


# The vendor's needs the go.mod of its instance, and so is only built with that.
@pytest.mark.gk_tier("nightly")
@pytest.mark.parametrize("stub", sorted({path.parent.name for path in STUBS.glob("*/go.mod")} - {"vendor"}))
def test_the_stand_ins_pass_go_vet(stub: str) -> None:
    must_pass(STUBS / stub, "vet", "./...", mod="mod")


def test_the_stand_ins_are_formatted() -> None:
    assert unformatted(OTHERS) == ""

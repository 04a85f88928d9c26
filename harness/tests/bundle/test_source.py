"""Where the image of a bundle is looked for, which options go on, and how the test is run again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.bundle.manifest import Case, Manifest, Subject
from harness.bundle.rerun import place, rerun
from harness.bundle.source import must_be_the_image, options_for
from harness.errors import BoardMismatch, OptionError
from harness.image.model import Image
from harness.options import settings_from
from harness.package_data import images_folder, scenarios_folder
from harness.tests.bundle.facts import SUBJECT, manifest
from harness.tests.image.plain import PLAIN


def foreign(**facts: Any) -> Manifest:
    return manifest(subject=replace(SUBJECT, **{"own": "", **facts}))


def test_the_project_s_own_image_is_named_by_nobody_and_built_as_it_was() -> None:
    values = options_for(manifest(), "", {})
    settings = settings_from(values)
    assert settings.is_own
    assert (settings.builder, settings.accel, settings.memory, settings.boards) == ("own", "tcg", 700, ("virt",))


def test_an_own_instance_that_was_named_is_the_one_of_this_clone() -> None:
    made = manifest(options={"gk_instance": "/another/clone/images/hello-arm64"})
    assert settings_from(options_for(made, "", {})).instance == str(images_folder() / "hello-arm64")


def test_another_s_instance_or_image_is_looked_for_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "disk.img").touch()
    said = {"gk_instance": str(tmp_path)}
    assert options_for(replace(foreign(instance=str(tmp_path)), options=said), "", {})["gk_instance"] == str(
        tmp_path
    )
    image = foreign(builder="given", file=str(tmp_path / "disk.img"))
    values = options_for(image, "", {})
    assert values["gk_image"] == str(tmp_path / "disk.img")
    assert values.get("gk_builder") is None


@pytest.mark.parametrize("facts", [{"instance": "/not/here"}, {"builder": "given", "file": "/not/here.img"}, {}])
def test_an_image_that_is_not_here_is_one_error_that_says_what_to_give(facts: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="of this bundle is not on this computer") as raised:
        options_for(foreign(**facts), "", {})
    assert "gokharness repro BUNDLE --image FILE|INSTANCE" in raised.value.hint


def test_what_is_given_is_taken_instead(tmp_path: Path) -> None:
    (tmp_path / "disk.img").touch()
    (tmp_path / "config.json").touch()
    lost = foreign(builder="given", file="/not/here.img")
    assert options_for(lost, str(tmp_path / "disk.img"), {})["gk_image"] == str(tmp_path / "disk.img")
    assert options_for(lost, str(tmp_path), {})["gk_instance"] == str(tmp_path)
    assert options_for(lost, str(tmp_path / "config.json"), {})["gk_instance"] == str(tmp_path / "config.json")
    assert options_for(lost, "a-name-that-gok-knows", {})["gk_instance"] == "a-name-that-gok-knows"


def test_the_older_image_of_a_release_test_is_named_as_that(tmp_path: Path) -> None:
    (tmp_path / "old.img").touch()
    made = foreign(builder="given", file=str(tmp_path / "old.img"))
    made = replace(made, wanted={**made.wanted, "family": "from"})
    values = options_for(made, "", {})
    assert (values["gk_from"], values["gk_image"]) == (str(tmp_path / "old.img"), None)


def test_a_key_or_password_file_that_is_not_here_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "password").touch()
    said = {"gk_ssh_key": "/not/here", "gk_password_file": str(tmp_path / "password"), "gk_shard": "1/2"}
    values = options_for(manifest(options=said), "", {"gk_cache": "/here", "gk_board": None})
    assert "gk_ssh_key" not in values
    assert "gk_shard" not in values
    assert (values["gk_cache"], values.get("gk_board")) == ("/here", None)
    assert values["gk_password_file"] == str(tmp_path / "password")


def image(digest: str) -> Image:
    modules = {"m": "v2", "new": "v1"}
    return replace(PLAIN, path=Path("/built.img"), digest=digest, hostname="hello-arm64", modules=modules)


def test_another_image_is_one_error_that_says_what_failed_what_is_here_and_what_to_do() -> None:
    must_be_the_image(manifest(), image("d1"))
    with pytest.raises(BoardMismatch, match="another image than the one that failed") as raised:
        must_be_the_image(manifest(), image("d2"))
    text = str(raised.value)
    for part in ("digest d1", "digest d2", "m: v1, here v2", "new: none, here v1", "/built.img", "--rerun"):
        assert part in text


def test_a_scenario_is_run_from_where_it_lies_here() -> None:
    case = Case("../x/scenarios/test_boot.py::test_it[virt]", "/there", scenario="test_boot.py::test_it[virt]")
    assert place(manifest(case=case)) == (scenarios_folder(), "test_boot.py::test_it[virt]")


def test_a_test_of_somebody_s_own_is_looked_for_in_this_folder_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    monkeypatch.chdir(here)
    made = manifest(case=Case("test_mine.py::test_it", str(there)))
    with pytest.raises(OptionError, match="the test of this bundle is not here"):
        place(made)
    (there / "test_mine.py").touch()
    assert place(made)[0] == there
    (here / "test_mine.py").touch()
    assert place(made)[0] == here


def test_a_rerun_gives_pytest_the_options_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        given.append(arguments)
        return 1

    monkeypatch.setattr(pytest, "main", run)
    (tmp_path / "test_mine.py").touch()
    options = {"gk_board": ["virt"], "gk_fast_boot": True, "gk_warm": "off", "gk_repeat": "9", "gk_serial": None}
    made = manifest(case=Case("test_mine.py::test_it[virt]", str(tmp_path)), options=options)
    assert rerun(made, "", {"gk_artifacts": "/logs", "gk_cache": None}) == 1
    flags = set(given[0])
    assert {
        "--gk-board=virt",
        "--gk-fast-boot",
        "--gk-warm=off",
        "--gk-artifacts=/logs",
        "--gk-accel=tcg",
    } <= flags
    assert not any("repeat" in flag or "serial" in flag for flag in flags)
    assert given[0][-1] == str(tmp_path / "test_mine.py::test_it[virt]")


def test_a_subject_says_which_image_it_is() -> None:
    assert str(Subject("d" * 64, "mine", "2026", "arm64", "own", "7.1")) == (
        "mine (arm64) build 2026 by own, digest dddddddddddddddd"
    )

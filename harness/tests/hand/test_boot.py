"""What ``gokharness boot`` refuses before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import OptionError
from harness.hand.boot import Asked
from harness.hand.reach import IN_THE_IMAGE, password_place
from harness.options import Settings
from harness.tests.test_plugin import instance


@pytest.mark.parametrize("name", ["a b", "../x", "-x", "x" * 64])
def test_a_name_is_one_word(name: str) -> None:
    with pytest.raises(OptionError, match="is no name"):
        Asked("mine", name)


def test_a_finished_image_is_not_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "a.img"
    image.touch()
    assert main(["boot", str(image), "--watch"]) == 4
    assert "--watch: this is a finished image" in capsys.readouterr().err


def test_where_the_password_is_and_not_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    mine = instance(tmp_path / "mine")
    assert password_place(str(mine), Settings()) == f"HTTPPassword in {mine}/config.json"
    config = mine / "config.json"
    config.write_text(config.read_text().replace('"HTTPPassword": "x"', ""))
    made = tmp_path / "home/.config/gokrazy/http-password.txt"
    assert password_place(str(mine), Settings()) == str(made)
    host = made.parent / "hosts/mine/http-password.txt"
    host.parent.mkdir(parents=True)
    host.write_text("of this host")
    assert password_place(str(mine), Settings()) == str(host)
    image = tmp_path / "a.img"
    image.touch()
    assert password_place(str(image), Settings()) == IN_THE_IMAGE
    given = tmp_path / "pw.txt"
    assert password_place(str(image), Settings(password_file=given)) == str(given)

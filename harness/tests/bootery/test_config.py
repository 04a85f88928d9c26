"""bootery.toml: what it means, and that what is wrong in it is named by line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bootery.config import Config, read_config
from harness.errors import ConfigError

GOOD = """\
# Which bakeries a repository's images are tried on.
[slugs]
"gokrazy/kernel.amd64" = ["pc", "pc-uefi"]
"gokrazy/kernel.arm64" = ["virt"]

[bakeries]
pc = ["pc-bios", "pc-uefi"]
"""


def read(folder: Path, text: str) -> Config:
    path = folder / "bootery.toml"
    path.write_text(text)
    return read_config(path)


def test_a_slug_has_bakeries_and_a_bakery_has_boards(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    bakeries = {slug: [bakery.name for bakery in bakeries] for slug, bakeries in config.slugs.items()}
    assert bakeries == {"gokrazy/kernel.amd64": ["pc", "pc-uefi"], "gokrazy/kernel.arm64": ["virt"]}
    assert [board.name for board in config.bakeries["pc"].boards] == ["pc-bios", "pc-uefi"]
    assert [board.name for board in config.bakeries["virt"].boards] == ["virt"]
    assert [board.name for board in config.boards] == ["pc-bios", "pc-uefi", "virt"]


COMPARED = """\
[slugs]
"a/b" = ["pc", "virt"]

[bakeries]
pc = ["pc-bios"]

[compare.pc]
boards = ["pc-uefi:nvme+igb", "pc-bios"]
accept = "accepted.toml"
pairs = 4

[compare.virt]
against = "released.img"
"""


def test_a_bakery_compares_as_its_table_says(tmp_path: Path) -> None:
    (tmp_path / "released.img").touch()
    (tmp_path / "accepted.toml").write_text("[[accepted]]\nwhat = 'boots'\nreason = 'so'\nuntil = 2999-01-01\n")
    config = read(tmp_path, COMPARED)
    pc, virt = (config.bakeries[name].comparison for name in ("pc", "virt"))
    assert pc is not None
    assert virt is not None
    assert (pc.against, pc.pairs, [one.what for one in pc.accepted]) == (None, 4, ["boots"])
    assert [board.name for board in pc.boards] == ["pc-uefi:nvme+igb", "pc-bios"]
    assert (virt.against, virt.pairs, virt.accepted) == (tmp_path / "released.img", None, ())
    assert [board.name for board in virt.boards] == ["virt"]
    assert [board.name for board in config.boards] == ["pc-bios", "pc-uefi:nvme+igb", "virt"]


def test_a_list_of_accepted_differences_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "released.img").touch()
    with pytest.raises(ConfigError, match="accept: it cannot be read") as caught:
        read(tmp_path, COMPARED)
    assert caught.value.where == str(tmp_path / "accepted.toml")


VIRT = "[slugs]\n'a/b' = ['virt']\n"


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("[compare.virtt]\n", "there is no bakery virtt", 3),
        ("[compare]\nvirt = 3\n", "virt is no table", 4),
        ("[compare.virt]\nversus = 'last'\n", "there is no key versus", 4),
        ("[compare.virt]\nagainst = 'none.img'\n", "there is no image .*none.img", 4),
        ("[compare.virt]\nagainst = 3\n", "3 is no text", 4),
        ("[compare.virt]\nboards = 'virt'\n", "'boards' is no list of boards", 4),
        ("[compare.virt]\nboards = ['pc-bios']\n", "run other images than virt", 4),
        ("[compare.virt]\nboards = ['virt:nvmm']\n", "nvmm", 4),
        ("[compare.virt]\npairs = 0\n", "0 is no number of pairs from 1 to 9", 4),
        ("[compare.virt]\npairs = true\n", "True is no number of pairs", 4),
    ],
)
def test_what_is_wrong_with_a_comparison_is_named_by_its_line(
    tmp_path: Path, text: str, says: str, line: int
) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        read(tmp_path, VIRT + text)
    assert caught.value.where == str(tmp_path / "bootery.toml") + f", line {line}"


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("[slugs\n", "this is no TOML: .*line 1", 0),
        ("", "it names no repository", 0),
        ("[slugs]\n", "it names no repository", 1),
        ("slugs = 3\n", "slugs is no table", 1),
        ("[slugs]\n'a/b' = ['virt']\n[boards]\n", "there is no table boards", 3),
        ("[slugs]\n'a/b' = 'virt'\n", "'a/b' is no list of bakeries", 2),
        ("[slugs]\n'a/b' = []\n", "'a/b' is no list of bakeries", 2),
        ("[slugs]\n'a/b' = ['virt', 'virt']\n", "names one of its bakeries twice", 2),
        ("[slugs]\nkernel = ['virt']\n", "'kernel' is no OWNER/REPOSITORY", 2),
        ("[slugs]\n\n'a/b' = ['vrit']\n", "there is no board 'vrit'", 3),
        ("[slugs]\n'a/b' = ['under_score']\n", "'under_score' is no host name", 2),
        (
            "[slugs]\n'a/b' = ['mine']\n[bakeries]\nmine = ['pc-bios', 'virt']\n",
            "run different images: amd64, arm64",
            4,
        ),
        ("[slugs]\n'a/b' = ['virt']\n[bakeries]\nmine = ['pc-bios']\n", "no repository uses the bakery mine", 4),
    ],
)
def test_what_is_wrong_is_named_by_its_line(tmp_path: Path, text: str, says: str, line: int) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        read(tmp_path, text)
    assert caught.value.where == str(tmp_path / "bootery.toml") + (f", line {line}" if line else "")


def test_a_file_that_is_not_there_is_shown_how_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file") as caught:
        read_config(tmp_path / "none.toml")
    assert "[slugs]" in caught.value.hint

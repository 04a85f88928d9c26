from __future__ import annotations

from pathlib import Path

import pytest

from harness.host import debian
from harness.host.debian import Source
from harness.host.host import Host

DEB822 = """\
# the release
Types: deb deb-src
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.test/security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEYCQjIxYJKwYBBAHaRw8B
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
Enabled: no
URIs: http://switched-off.test/debian
Suites: bookworm-backports
Components: main

Types: deb-src
URIs: http://sources.test/debian
Suites: bookworm-backports
Components: main
"""


def test_deb822_stanzas_are_read_and_those_that_are_off_are_not() -> None:
    release, security = debian.parse_deb822(DEB822)
    assert release == Source(
        ("http://mirror.test/debian",),
        ("bookworm", "bookworm-updates"),
        ("main", "contrib"),
        "/usr/share/keyrings/debian-archive-keyring.gpg",
    )
    assert security.signed_by.splitlines()[1] == " -----BEGIN PGP PUBLIC KEY BLOCK-----"


def test_an_embedded_key_survives_being_written_and_read_again() -> None:
    security = debian.parse_deb822(DEB822)[1]
    assert debian.parse_deb822(security.stanza()) == [security]


def test_one_line_sources_are_read() -> None:
    text = """\
# deb http://commented.test/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main non-free # why
deb-src http://mirror.test/debian bookworm main
deb http://mirror.test/debian bookworm-updates main
"""
    assert debian.parse_list(text) == [
        Source(("http://mirror.test/debian",), ("bookworm",), ("main", "non-free"), "/k.gpg"),
        Source(("http://mirror.test/debian",), ("bookworm-updates",), ("main",)),
    ]


def test_only_the_files_that_apt_reads_count(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.test/debian trixie main\n")
    (tmp_path / "sources.list.d" / "b.list").write_text("deb http://two.test/debian trixie main\n")
    (tmp_path / "sources.list.d" / "c.sources").write_text(DEB822)
    (tmp_path / "sources.list.d" / "d.list.disabled").write_text("deb http://off.test/debian trixie main\n")
    uris = [source.uris[0] for source in debian.read_sources(Host(), tmp_path)]
    assert uris == [
        "http://one.test/debian",
        "http://two.test/debian",
        "http://mirror.test/debian",
        "http://mirror.test/security",
    ]


def test_backports_come_from_the_mirror_of_the_release() -> None:
    derived = debian.backports(debian.parse_deb822(DEB822), "bookworm")
    assert derived is not None
    assert derived.stanza() == (
        "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm-backports\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )


def test_a_host_that_has_backports_gets_no_second_source() -> None:
    there = [Source(("http://m.test/debian",), ("bookworm-backports",), ("main",))]
    assert debian.backports_commands(there, "bookworm") == []


@pytest.mark.parametrize(
    "sources",
    [
        [],
        [Source(("cdrom:[Debian 12]/",), ("bookworm",), ("main",))],
        [Source(("http://m.test/debian",), ("bookworm",), ("contrib",))],
    ],
)
def test_without_a_mirror_to_derive_from_the_commands_stop_and_say_so(sources: list[Source]) -> None:
    (command,) = debian.backports_commands(sources, "bookworm")
    assert command.endswith("exit 1")
    assert "bookworm-backports" in command

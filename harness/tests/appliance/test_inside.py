"""What is seen of an appliance: pictures that are kept, and those that are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.appliance.appliance import Appliance
from harness.appliance.inside import MOST_PICTURES
from harness.errors import OptionError
from harness.tests.appliance.played import appliance


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[Appliance]:
    made = appliance(tmp_path, "virt", no_quirks=False)
    yield made
    made.console.close()


def test_a_picture_is_kept_for_the_report_and_among_the_logs(subject: Appliance) -> None:
    subject.keep_picture("the front page", b"a picture", "services")
    (one,) = subject.pictures
    assert (one.title, one.png) == ("the front page", b"a picture")
    assert one.at >= 0
    assert (subject.folder / "picture-1.png").read_bytes() == b"a picture"
    assert "a picture is taken: the front page" in [happening.text for happening in subject.time_line.happenings]


def test_a_picture_in_which_a_password_can_be_read_is_not_kept(subject: Appliance) -> None:
    subject.time_line.keep_secret("a-long-password")
    subject.keep_picture("a log", b"a picture", "it logs in with a-long-password")
    assert subject.pictures == []
    assert not (subject.folder / "picture-1.png").exists()
    (said,) = [one.text for one in subject.time_line.happenings]
    assert said == "no picture of a log: a password can be read in it"


def test_a_test_that_takes_pictures_in_a_loop_keeps_the_first_ones(subject: Appliance) -> None:
    for number in range(MOST_PICTURES + 5):
        subject.keep_picture(str(number), b"a picture")
    assert [one.title for one in subject.pictures] == [str(number) for number in range(MOST_PICTURES)]


def test_without_breakglass_what_needs_it_says_so(subject: Appliance) -> None:
    for look in (subject.mounts, subject.listening, subject.odd_listeners, lambda: subject.files("/etc")):
        with pytest.raises(OptionError):
            look()

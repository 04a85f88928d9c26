"""What an owner says of the services of an instance."""

from __future__ import annotations

import pytest

from harness.errors import OptionError
from harness.gokrazy.expected import Fate, expectations

PATHS = ("/gokrazy/dhcp", "/user/hello", "/user/wifi")


@pytest.mark.parametrize(
    "written", [["wifi: restarts"], ["wifi:", "restarts"], ["wifi:restarts"], ["wifi : restarts"]]
)
def test_a_fate_reads_the_same_from_a_command_and_from_a_file(written: list[str]) -> None:
    said = expectations((), written)
    assert said.of("/user/wifi") is Fate.RESTARTS
    assert said.of("/user/hello") is None


def test_several_services_and_both_options_go_together() -> None:
    said = expectations(["hello,dhcp"], ["/user/wifi: restarts, job: ends"])
    assert [said.of(path) for path in (*PATHS, "/user/job")] == [Fate.RUNS, Fate.RUNS, Fate.RESTARTS, Fate.ENDS]


@pytest.mark.parametrize("written", ["wifi", "wifi: falls", ": restarts"])
def test_what_is_no_fate_is_one_error_that_shows_how(written: str) -> None:
    with pytest.raises(OptionError, match="--gk-expect does not know") as raised:
        expectations((), [written])
    assert "wifi: restarts" in raised.value.hint


def test_two_fates_for_one_service_are_refused() -> None:
    with pytest.raises(OptionError, match="'wifi' is expected to do two things: restarts and runs"):
        expectations(["wifi"], ["wifi: restarts"])


def test_a_name_that_no_service_has_is_an_error_with_the_names_that_exist() -> None:
    expectations(["hello"], ["/user/wifi: restarts"]).check(PATHS, where="x")
    with pytest.raises(OptionError, match="'helo'") as raised:
        expectations(["helo"], ()).check(PATHS, where="hello-arm64")
    assert raised.value.hint == "its services: /gokrazy/dhcp, /user/hello, /user/wifi"

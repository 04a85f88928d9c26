from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.errors import RequestRefused, ServiceMissing
from harness.gokrazy.status import Eeprom, parse_features, parse_service, parse_status
from harness.tests.gokrazy.fake_device import STATUS


def changed(**fields: Any) -> str:
    return json.dumps({**STATUS, **fields})


def test_a_real_front_page() -> None:
    status = parse_status(json.dumps(STATUS), "here")
    assert status.build_timestamp == "2026-11-22T00:00:00Z"
    assert status.hostname == "arm"
    assert status.kernel_release == "7.1.3"
    assert [one.name for one in status.services] == [
        "dhcp", "ntp", "randomd", "heartbeat", "breakglass", "serial-busybox",
    ]  # fmt: skip
    assert status.service("breakglass").stopped
    assert status.service("/gokrazy/dhcp").started == datetime(2026, 11, 22, 1, 37, 57, 200993, tzinfo=UTC)
    assert status.memory["MemTotal"] > status.memory["MemAvailable"] > 0
    assert status.supervising
    assert status.eeprom is None


def test_fields_of_later_versions_are_kept_and_do_no_harm() -> None:
    status = parse_status(changed(Novelty={"a": 1}), "here")
    assert status.raw["Novelty"] == {"a": 1}


def test_no_services_yet() -> None:
    status = parse_status(changed(Services=None), "here")
    assert status.services == ()
    assert not status.supervising


def test_a_service_that_never_started_has_no_start_time() -> None:
    service = parse_service('{"Path": "/user/x", "StartTime": "0001-01-01T00:00:00Z", "Pid": 0}', "here")
    assert service.started is None
    assert "never" in str(service)


def test_pi_with_eeprom_and_mounts() -> None:
    text = changed(
        EEPROM={"PieepromSHA256": "ab", "VL805SHA256": "cd", "FirmwareDate": "2026-01-01"},
        MountDevices=[{"Dev": "/perm/data", "Used": 1, "Avail": 2, "Total": 3}],
    )
    status = parse_status(text, "here")
    assert status.eeprom == Eeprom("ab", "cd", "2026-01-01")
    assert (status.mounts[0].target, status.mounts[0].total) == ("/perm/data", 3)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("<!DOCTYPE html><title>router</title>", "not JSON"),
        ("[]", "a list"),
        ("{}", "BuildTimestamp is missing"),
        (changed(BuildTimestamp=7), "BuildTimestamp is a number"),
        (changed(PermUsed="much"), "PermUsed is text"),
        (changed(PermUsed=True), "PermUsed is true or false"),
        (changed(Services=[3]), "Services[0]"),
        (changed(Services=[{"Path": "/x", "StartTime": "yesterday"}]), "yesterday"),
        (changed(PrivateAddrs=[1]), "PrivateAddrs"),
    ],
)
def test_nonsense_is_refused_by_name(text: str, names: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        parse_status(text, "http://there")
    assert names in caught.value.what
    assert caught.value.where == "http://there"


def test_a_missing_service_names_those_that_exist() -> None:
    status = parse_status(json.dumps(STATUS), "here")
    with pytest.raises(ServiceMissing, match="/user/serial-busybox"):
        status.service("hello")


def test_an_ambiguous_name_is_refused() -> None:
    twins = [{"Path": "/user/x"}, {"Path": "/gokrazy/x"}]
    status = parse_status(changed(Services=twins), "here")
    with pytest.raises(ServiceMissing, match="/user/x and /gokrazy/x"):
        status.service("x")
    assert status.service("/gokrazy/x").path == "/gokrazy/x"


def test_features_in_both_forms() -> None:
    assert parse_features("partuuid,updatehash,gpt,", "").names == {"partuuid", "updatehash", "gpt"}
    features = parse_features('{"features": "partuuid,", "EEPROM": {"FirmwareDate": "x"}}', "")
    assert "partuuid" in features
    assert "gpt" not in features
    assert features.eeprom is not None

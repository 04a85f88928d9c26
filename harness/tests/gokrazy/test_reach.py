"""The words of programs that reach nobody, and of those that miss something else."""

import pytest

from harness.gokrazy.reach import could_not_reach


@pytest.mark.parametrize(
    "line",
    [
        "dial tcp 192.0.2.1:443: connect: network is unreachable",
        "dial tcp: lookup mqtt.example.org on [::1]:53: read udp [::1]:40000->[::1]:53: read: connection refused",
    ],
)
def test_before_it_has_an_address_a_device_reaches_nobody(line: str) -> None:
    assert could_not_reach(line, isolated=True, up=False)
    assert could_not_reach(line, isolated=False, up=True)
    assert not could_not_reach(line, isolated=False, up=False)


@pytest.mark.parametrize(
    "line",
    [
        "dial tcp: lookup api.example.org on 10.0.2.3:53: read udp 10.0.2.15:1->10.0.2.3:53: i/o timeout",
        "dial tcp: lookup api.example.org: no such host",
        "lookup api.example.org: Temporary failure in name resolution",
        "curl: (6) Could not resolve host: example.org",
        "dial tcp 192.0.2.1:1883: connect: connection refused",
        "dial tcp 192.168.1.5:5432: i/o timeout",
        'Get "https://example.org/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        'Post "https://api.example.org/bot/getMe": net/http: TLS handshake timeout',
    ],
)
def test_where_nobody_is_there_nobody_is_reached(line: str) -> None:
    assert could_not_reach(line, isolated=True, up=False)
    assert not could_not_reach(line, isolated=False, up=True)


@pytest.mark.parametrize(
    "line",
    [
        "dial tcp 127.0.0.1:5432: connect: connection refused",
        "dial tcp [::1]:6379: connect: connection refused",
        'Get "http://localhost:8080/": dial tcp 127.0.0.1:8080: connect: connection refused',
        "dial unix /run/one.sock: connect: no such file or directory",
    ],
)
def test_another_program_of_the_device_may_only_be_late(line: str) -> None:
    assert could_not_reach(line, isolated=False, up=True)
    assert not could_not_reach(line, isolated=True, up=False)


def test_a_dhcp_client_that_got_its_address_later_was_only_not_answered_in_time() -> None:
    line = "dhcp.go:430: read packet 40:54:00:67:6f:6b: i/o timeout"
    assert could_not_reach(line, isolated=True, up=True)
    assert not could_not_reach(line, isolated=True, up=False)


@pytest.mark.parametrize(
    "line",
    [
        "listen tcp :80: bind: address already in use",
        "panic: runtime error: index out of range",
        "open /etc/one.conf: no such file or directory",
        "open database: i/o timeout",
    ],
)
def test_what_the_device_itself_misses_is_another_matter(line: str) -> None:
    assert not could_not_reach(line, isolated=True, up=True)

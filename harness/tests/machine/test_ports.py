"""The ports that QEMU chose, from its monitor's own words."""

from __future__ import annotations

import pytest

from harness.errors import InternalError, OptionError
from harness.machine.ports import Port, chosen_ports

SAID = """Hub -1 (net0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[ESTABLISHED]   31        127.0.0.1 38211      10.0.2.15    80     0     0
  TCP[HOST_FORWARD]  17        127.0.0.1 44831      10.0.2.15  8080     0     0
  TCP[HOST_FORWARD]  16        127.0.0.1 38211      10.0.2.15    80     0     0
  UDP[HOST_FORWARD]  15        127.0.0.1 51236       10.0.2.15  8080     0     0
  UDP[236 sec]       30        10.0.2.15 49352       10.0.2.3    53     0     0
"""


def test_each_port_of_the_guest_gets_the_one_that_leads_to_it() -> None:
    assert chosen_ports(SAID, [Port(80), Port(8080), Port(8080, "udp")]) == {
        Port(80): 38211,
        Port(8080): 44831,
        Port(8080, "udp"): 51236,
    }


def test_a_port_that_is_not_forwarded_is_an_error_with_what_qemu_said() -> None:
    with pytest.raises(InternalError, match="forwards to 22/tcp, 53/udp") as caught:
        chosen_ports(SAID, [Port(80), Port(22), Port(53, "udp")])
    assert "44831" in caught.value.evidence


@pytest.mark.parametrize(
    ("written", "port"),
    [
        (8080, Port(8080)),
        ("80", Port(80)),
        (" 443/tcp ", Port(443)),
        ("53/udp", Port(53, "udp")),
        ("65535", Port(65535)),
    ],
)
def test_a_port_is_tcp_unless_it_says_udp(written: int | str, port: Port) -> None:
    assert Port.parse(written) == port
    assert Port.parse(str(port)) == port


@pytest.mark.parametrize("written", ["", "0", "65536", "-1", "http", "53/sctp", "53/UDP", "8080:80", "80/"])
def test_what_is_no_port_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(OptionError, match="not a port") as caught:
        Port.parse(written)
    assert "53/udp" in caught.value.hint

"""The ports that QEMU chose, from its monitor's own words."""

from __future__ import annotations

import pytest

from harness.errors import InternalError
from harness.machine.ports import chosen_ports

SAID = """Hub -1 (net0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[ESTABLISHED]   31        127.0.0.1 38211      10.0.2.15    80     0     0
  TCP[HOST_FORWARD]  17        127.0.0.1 44831      10.0.2.15  8080     0     0
  TCP[HOST_FORWARD]  16        127.0.0.1 38211      10.0.2.15    80     0     0
  UDP[236 sec]       30        10.0.2.15 49352       10.0.2.3    53     0     0
"""


def test_each_name_gets_the_port_that_leads_to_the_guests() -> None:
    assert chosen_ports(SAID, {"http": 80, "own": 8080}) == {"http": 38211, "own": 44831}


def test_a_port_that_is_not_forwarded_is_an_error_with_what_qemu_said() -> None:
    with pytest.raises(InternalError, match="forwards to 22") as caught:
        chosen_ports(SAID, {"http": 80, "ssh": 22})
    assert "44831" in caught.value.evidence

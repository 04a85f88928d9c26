"""What a device's own files say of mounts and sockets, read rightly; lines are of a real device."""

from __future__ import annotations

import pytest

from harness.gokrazy.inside import DeviceMount, Listener, mounts_in, sockets_in

MOUNTS = r"""/dev/root / squashfs ro,relatime,errors=continue 0 0
devtmpfs /dev devtmpfs rw,relatime,size=118776k,nr_inodes=29694,mode=755 0 0
/dev/vda4 /perm ext4 rw,relatime 0 0
tmpfs /perm/with\040blank\011tab tmpfs ro 0 0
"""
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1 0 100 0 0 10 0
   1: 0F02000A:0050 0202000A:D431 01 00000000:00000000 00:00000000 00000000     0        0 1300 1 0 20 4 1 10 -1
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1400 1 0 100 0 0 10 0
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 000080FE00000000FF005450626F67FE:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 77 1 0 100 0 0
   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 78 1 0 100 0 0
   2: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 79 1 0 100 0 0
"""
UDP = """   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
  100: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 900 2 0000 0
  101: 0F02000A:9C41 0302000A:0035 01 00000000:00000000 00:00000000 00000000     0        0 901 2 0000 0
"""


def test_mounts_have_their_kind_and_whether_they_can_be_written_to() -> None:
    root, dev, perm, odd = mounts_in(MOUNTS)
    assert (root.target, root.kind, root.writable) == ("/", "squashfs", False)
    assert (dev.writable, perm.source, perm.writable) == (True, "/dev/vda4", True)
    assert odd == DeviceMount("tmpfs", "/perm/with blank\ttab", "tmpfs", ("ro",))
    assert str(perm) == "/perm (ext4 from /dev/vda4, rw)"


def test_sockets_that_listen_have_address_and_port() -> None:
    assert dict(sockets_in("tcp", TCP)) == {
        1234: Listener("tcp", "127.0.0.1", 80),
        1400: Listener("tcp", "0.0.0.0", 8080),
    }
    assert [(one.address, one.port) for _, one in sockets_in("tcp", TCP6)] == [
        ("fe80::5054:ff:fe67:6f62", 22),
        ("::1", 80),
        ("127.0.0.1", 81),
    ]
    assert dict(sockets_in("udp", UDP)) == {900: Listener("udp", "0.0.0.0", 68)}


@pytest.mark.parametrize(
    ("address", "private"),
    [
        *[(one, True) for one in ("127.0.0.1", "::1", "10.0.2.15", "192.168.1.2", "fe80::1", "fd00::1")],
        ("100.64.0.2", True),
        *[(one, False) for one in ("0.0.0.0", "::", "8.8.8.8", "2001:4860::1")],
    ],
)
def test_a_private_address_is_none_that_strangers_reach(address: str, private: bool) -> None:
    assert Listener("tcp", address, 80).is_private is private


def test_a_listener_is_named_after_its_service_or_else_its_program() -> None:
    one = Listener("tcp", "fe80::1", 22, 7, "/user/breakglass", "/user/breakglass")
    assert str(one) == "tcp [fe80::1]:22 by /user/breakglass"
    assert str(Listener("udp", "0.0.0.0", 9, 8, "/tmp/x")) == "udp 0.0.0.0:9 by /tmp/x"
    assert str(Listener("udp", "0.0.0.0", 9)) == "udp 0.0.0.0:9 by nobody that was found"

"""Who has which address in the network that QEMU plays, and in the harness's segment of it."""

from __future__ import annotations

GUEST = "10.0.2.15"
"""What QEMU gives its only guest: the ports of this host lead there."""
QEMU_HOST = "10.0.2.2"
"""The host that QEMU plays in its user network; 127.0.0.1 of this host, for a guest that may reach others."""
QEMU_NAMES = "10.0.2.3"
"""The name server that QEMU plays there. It says nothing to a guest that may reach nobody."""
NEIGHBOUR = "10.0.2.100"
"""The address of the neighbours: QEMU gives it to nobody."""
POOL = "pool.ntp.org"
"""The domain of the servers that gokrazy's cmd/ntp asks unless its flags name others."""

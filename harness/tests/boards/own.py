"""The boards that the tests name, so that a further module in ``harness/boards/`` changes none of their sets."""

OWN = ("pc-bios", "pc-uefi", "virt-uefi", "virt", "raspi-virt", "raspi3b", "raspi4b")
"""In the order of their own data."""

"""Boot, update, crash and rescue gokrazy appliances under QEMU, from pytest."""

__version__ = "0.1.0"

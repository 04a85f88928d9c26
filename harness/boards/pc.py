"""What the PC boards have in common."""

from harness.boards.board import Display

SCREEN = Display("virtio-gpu-pci,xres=1024,yres=768", driver="virtio-gpu")
"""The one that kernel.amd64 drives with BIOS and UEFI alike: it has no driver for bochs or the VGA of QEMU.

A whole number of memory pages, and nothing else, is what programs that map it expect: 800x600 is none.
"""

"""What the PC boards have in common."""

from harness.boards.board import Display
from harness.boards.workarounds import Workaround, Workarounds

SCREEN = Display("virtio-gpu-pci,xres=1024,yres=768", driver="virtio-gpu")
"""The one that kernel.amd64 drives with BIOS and UEFI alike: it has no driver for bochs or the VGA of QEMU.

A whole number of memory pages, and nothing else, is what programs that map it expect: 800x600 is none.
"""

WORKAROUNDS = Workarounds(
    one_thread_at_boot=Workaround(
        does="without KVM, one thread plays all processors while the machine boots",
        reason="with a thread for each, QEMU confuses what several processors do at once: an access reaches "
        "another device than it is for (QEMU's issue 3040), or a processor keeps the old translation of code "
        "that the kernel has changed (issue 4669)",
        price="a boot takes an eighth longer, and so do restored copies in tests marked gk_reboots: they answer "
        "after 0.91 s instead of 0.33 s",
        qemu="10.0",
    )
)

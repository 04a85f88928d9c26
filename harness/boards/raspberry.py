"""What the Raspberry Pi boards have in common."""

from harness.boards.board import Budget
from harness.boards.hardware import DISPLAY, GPIO, MAILBOX
from harness.boards.workarounds import Workaround

NO_CLOCK = "1970-01-01"
USB_NIC = "usb-net,port=1"
"""On the controller's only port; without a port QEMU puts a hub there first, which is polled as well."""

USB_BUS = "usb-bus.0"
VIDEOCORE = 64
"""MiB that QEMU keeps for VideoCore (vcram-size of hw/arm/raspi.c)."""
FOUR_PROCESSORS = "QEMU records machines with one processor, and this one always has four"

HAS = (DISPLAY, GPIO, MAILBOX)
"""The hardware that kernel.rpi finds on QEMU's models: /dev/fb0, /dev/gpiochip0, /dev/vcio."""

ROUTE_RACE = Workaround(
    does="answers to the guest come up to 3 s late until it has an address",
    reason="one second after its start gokrazy's DHCP client sets the priority of its routes anew where an "
    "adapter reports no change of its carrier, as QEMU's; if the lease comes in that moment, it deletes all of "
    "its routes (cmd/dhcp: changeRoutePriority is called twice at once)",
    price="up to 6 s of every boot and of every warm start",
    qemu="10.0",
)

BUDGET = Budget(
    kernel=90.0,
    init=180.0,
    ready=300.0,
    silence=120.0,
    network=120.0,
    answer=90.0,
    service=90.0,
    reboot=420.0,
    upload=1800.0,
    power_off=90.0,
)
"""Four emulated cores on two, and a network that polls: four times what a busy host was seen to need."""

WAITING_PROCESSORS = Workaround(
    does="one thread plays all processors of a machine that boots, where this host has fewer",
    reason="until Linux starts them, three of four processors wait in a loop of QEMU's (hw/arm/boot.c: "
    "smp_bootcode), in which WFE does not wait where each has a thread; they take the first one's time, "
    "which must stop them for each of 70000 places that ftrace changes, and on some hosts no kernel had "
    "said a word after 90 s",
    price="once its kernel runs, all four share one processor of the host",
    qemu="10.0",
)

FORGOTTEN_CARD = Workaround(
    does="the card is plugged in when init runs, instead of being there at power-on",
    reason="at a reset of the port QEMU forgets that a card was connected, so a kernel whose first processor "
    "takes up that interrupt a quarter of a second late, as on a busy host, never learns of it "
    "(hw/usb/hcd-dwc2.c: dwc2_hreg0_write)",
    price="what a kernel does with a network card before init runs is not tested",
    qemu="10.0",
)

UNMIGRATABLE_CARD = Workaround(
    does="a snapshot is taken without the network card, which a restored machine gets once it runs",
    reason="a snapshot of QEMU's cannot contain a USB network card (hw/usb/dev-network.c: vmstate_usb_net), and "
    "QEMU ends when one is unplugged that is in use (hw/usb/hcd-dwc2.c: dwc2_work_bh)",
    price="a warm start waits for the guest to find the card and get an address, and there are no checkpoints",
    qemu="10.0",
)

CARD_PROVES = (
    "config.txt, cmdline.txt, device tree and overlays give a machine that boots",
    "the root file system is found on an SD card",
    "A/B flip by the device's own switch and reboot, reset through the firmware",
)
"""Of the boards that boot from a card through the firmware that the harness plays."""

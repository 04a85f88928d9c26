"""Raspberry Pi 3 Model B."""

from harness.boards.board import SD, Board, Boot
from harness.boards.raspberry import BUDGET, CARD_PROVES, HAS, NO_CLOCK, ROUTE_RACE, USB_BUS, USB_NIC

CARD_AT_SDHOST = ((0x3F200010, 4 << 24 | 4 << 27), (0x3F200014, 4 | 4 << 3 | 4 << 6 | 4 << 9))
"""GPFSEL4 and GPFSEL5, with pins 48 to 53 at function ALT0: the card is at the controller that Linux uses here.

Which of two controllers has the card is told by the bus that it is on, and QEMU keeps that in no state (10.0:
hw/gpio/bcm2835_gpio.c, ``gpfsel_set`` moves the card, and only when a pin's function changes).
"""

INTERRUPTS = (0x40000060, 8)
"""Those of each core (ARM control block, "core interrupt source" and "core FIQ source").

An interrupt that waits at the moment of the capture is lost (10.0: hw/intc/bcm2836_control.c, whose state lacks
``timerirqs``, ``gpu_irq`` and ``irqsrc``): a core whose timer has just fired then has no timer ever after.
"""

BOARD = Board(
    name="raspi3b",
    arch="arm64",
    title="Raspberry Pi 3 Model B, firmware played by the harness",
    boot=Boot.RASPBERRY,
    model="pi3",
    qemu="qemu-system-aarch64",
    machine="raspi3b",
    cpu="cortex-a53",
    console="ttyAMA0",
    has=HAS,
    memory=1024,
    cpus=4,
    fixed="1024 MiB of memory, four processors and one SD card",
    disk=SD,
    nic=USB_NIC,
    late_answers=ROUTE_RACE,
    devices=(),
    images="rpi",
    rtc=NO_CLOCK,
    boot_files=(("bootcode.bin",), ("start.elf",), ("bcm2710-rpi-3-b.dtb", "bcm2837-rpi-3-b.dtb")),
    budget=BUDGET,
    slow_upload=True,
    late_nic_bus=USB_BUS,
    interrupts=INTERRUPTS,
    restore_writes=CARD_AT_SDHOST,
    proves=CARD_PROVES,
    cannot=(
        "the firmware itself: the harness plays it",
        "the Ethernet chip, Wi-Fi, Bluetooth, the watchdog, HDMI",
        "uploads at speed: the network is a USB adapter under emulation",
        "checkpoints: a network that is unplugged does not come back by itself",
    ),
)

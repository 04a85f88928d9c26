"""Raspberry Pi 3 Model B."""

from harness.boards.board import SD, Board, Boot, Default
from harness.boards.raspberry import (
    BUDGET,
    CARD_PROVES,
    FOUR_PROCESSORS,
    HAS,
    NO_CLOCK,
    ROUTE_RACE,
    UNMIGRATABLE_CARD,
    USB_BUS,
    USB_NIC,
    VIDEOCORE,
    WAITING_PROCESSORS,
)
from harness.boards.workarounds import PendingInterrupts, RegisterWrites, Workarounds

GPFSEL4, GPFSEL5 = 0x3F200010, 0x3F200014
"""The functions of the GPIO pins 40 to 49 and 50 to 53, three bits each; 4 is ALT0."""

CARD_AT_SDHOST = RegisterWrites(
    does="before a snapshot is restored, the pins 48 to 53 get the function ALT0, which moves the SD card to the "
    "controller that Linux uses",
    reason="a snapshot of QEMU's does not contain which of two controllers has the card, and QEMU moves it only "
    "when a pin's function changes (hw/gpio/bcm2835_gpio.c: gpfsel_set)",
    price="the Linux in a snapshot must be one that uses that controller, SDHOST",
    qemu="10.0",
    writes=((GPFSEL4, 4 << 24 | 4 << 27), (GPFSEL5, 4 | 4 << 3 | 4 << 6 | 4 << 9)),
)

LOST_INTERRUPTS = PendingInterrupts(
    does="a snapshot is taken only when no interrupt of any core is pending",
    reason="a snapshot of QEMU's does not contain pending interrupts (hw/intc/bcm2836_control.c: timerirqs, "
    "gpu_irq and irqsrc), and a core whose timer has just fired then has no timer ever after",
    price="taking a snapshot may need several attempts; it fails after 30 s of them",
    qemu="10.0",
    # "Core interrupt source" and "core FIQ source" of each core, in the ARM control block.
    address=0x40000060,
    words=8,
)

BOARD = Board(
    name="raspi3b",
    arch="arm64",
    title="Raspberry Pi 3 Model B, firmware played by the harness",
    boot=Boot.RASPBERRY,
    default=Default.RASPBERRY,
    model="pi3",
    machine="raspi3b",
    cpu="cortex-a53",
    has=HAS,
    memory=1024,
    withheld=VIDEOCORE,
    cpus=4,
    is_fixed=True,
    disk=SD,
    nic=USB_NIC,
    nic_bus=USB_BUS,
    devices=(),
    images="rpi",
    rtc=NO_CLOCK,
    boot_files=(("bootcode.bin",), ("start.elf",), ("bcm2710-rpi-3-b.dtb", "bcm2837-rpi-3-b.dtb")),
    budget=BUDGET,
    slow_upload=True,
    unrecorded=FOUR_PROCESSORS,
    workarounds=Workarounds(
        waiting_processors=WAITING_PROCESSORS,
        late_answers=ROUTE_RACE,
        nic_after_restore=UNMIGRATABLE_CARD,
        pending_interrupts=LOST_INTERRUPTS,
        registers_at_restore=CARD_AT_SDHOST,
    ),
    proves=CARD_PROVES,
    cannot=(
        "the firmware itself: the harness plays it",
        "the Ethernet chip, Wi-Fi, Bluetooth, the watchdog, HDMI",
        "uploads at speed: the network is a USB adapter under emulation",
        "checkpoints: a network that is unplugged does not come back by itself",
    ),
)

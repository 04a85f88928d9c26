"""What the kernel says of hardware that fails, disks excepted."""

from __future__ import annotations

from harness.console.check import Check, Severity

NOTED = Severity.NOTED

CHECKS: tuple[Check, ...] = (
    Check(
        "cpu-missing",
        r"\bCPU\d+:? failed to (?:come online|boot|report alive state).*|failed to boot CPU\d+ \(.*"
        r"|do_boot_cpu failed.*"
        r"|\bCPU\d+: (?:is stuck in kernel|will not boot|died during early boot|failed in unknown state).*",
        "{0}",
        NOTED,
        kernel=True,
        example="CPU3: failed to come online",
    ),
    Check(
        "interrupt-lost",
        r"\birq \d+: nobody cared.*",
        "the kernel switched off an interrupt that no driver takes: {0}",
        NOTED,
        kernel=True,
        example='irq 16: nobody cared (try booting with the "irqpoll" option)',
    ),
    Check(
        "network-stuck",
        # Intel's drivers see it first, and reset the card before the kernel's own watchdog looks.
        r"NETDEV WATCHDOG: .*|unregister_netdevice: waiting for .*|\bDetected (?:Tx|Hardware) Unit Hang.*",
        "a network card does not send, or cannot be let go of: {0}",
        NOTED,
        kernel=True,
        cause="look at the network first: what else fails may only follow from it",
        of_busy_host=True,
        example="NETDEV WATCHDOG: eth0 (smsc95xx): transmit queue 0 timed out",
    ),
    Check(
        "usb-dead",
        r"xHCI host controller not responding, assume dead|HC died; cleaning up",
        "the USB host controller died, and all that hangs on it is gone: {0}",
        NOTED,
        kernel=True,
        cause="look at USB first: a network card on it is gone as well",
        of_busy_host=True,
        example="xhci_hcd 0000:01:00.0: xHCI host controller not responding, assume dead",
    ),
    Check(
        "hardware-error",
        # Of machine checks, of the firmware's tables (GHES), and of x86's non-maskable interrupts.
        r"(?:\bmce: |(?<=\}))\[Hardware Error\]: .*|Uhhuh\. NMI received for unknown reason .*",
        "the processor or the firmware reports that the hardware fails: {0}",
        NOTED,
        kernel=True,
        example="mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 5: bea0000000000108",
    ),
)

"""Hardware that a device may have and a board may lack, and the words of programs that miss it.

A new kind is one row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DISPLAY = "display"
WIFI = "Wi-Fi"
BLUETOOTH = "Bluetooth"
GPIO = "GPIO pins"
I2C = "I2C bus"
SPI = "SPI bus"
ONE_WIRE = "1-Wire bus"
PWM = "PWM output"
LED = "LED"
USB_DISK = "USB disk"
USB_SERIAL = "USB serial adapter"
USB_DEVICE = "USB device"
SOUND = "sound card"
CAMERA = "camera"
CEC = "HDMI-CEC"
TUNER = "radio or television tuner"
MAILBOX = "VideoCore mailbox"
WATCHDOG = "watchdog"
CLOCK = "real-time clock"
TPM = "TPM"


@dataclass(frozen=True)
class Hardware:
    """One kind of hardware; ``nodes`` and ``words`` are patterns that match small and capital letters alike."""

    name: str
    example: str
    """A line of a program that misses it."""
    nodes: str = ""
    """The files and interfaces that programs open. A line that names one and says "not found" is a miss."""
    words: str = ""
    """Words that are a miss by themselves."""
    of: tuple[tuple[str, str], ...] = ()
    """The name of a service, and the words that are a miss only when this service says them."""


HARDWARE: tuple[Hardware, ...] = (
    Hardware(
        DISPLAY,
        "open /dev/fb0: no such file or directory",
        nodes=r"/dev/fb\d|/dev/dri\b|/sys/class/(?:graphics/fb|drm/card)\d",
    ),
    Hardware(
        WIFI,
        "wlan0: no such network interface",
        nodes=r"\bwlan\d\b|/dev/rfkill|/sys/class/ieee80211",
        words=r"nl80211 not found|no (?:wireless|wi-?fi) (?:interface|device|adapter)s?\b",
        # github.com/gokrazy/wifi, with a kernel that has nl80211 and one that has not.
        of=(("wifi", r"no interfaces found|netlink receive: no such file or directory"),),
    ),
    Hardware(
        BLUETOOTH,
        "can't init hci: no devices available: (hci0: no such device)",
        nodes=r"\bhci\d\b|/sys/class/bluetooth",
        words=r"no bluetooth (?:adapter|controller|device)s?\b|no default controller available"
        r"|bluetooth.*address family not supported",
    ),
    Hardware(
        GPIO,
        "open /dev/gpiochip0: no such file or directory",
        nodes=r"gpiochip\d|/dev/gpiomem|/sys/class/gpio\b|/dev/pigpio",
        words=r"gpioreg: can't open unknown pin",
    ),
    Hardware(
        I2C, "open /dev/i2c-1: no such file or directory", nodes=r"/dev/i2c-\d+", words=r"i2creg: no bus found"
    ),
    Hardware(
        SPI,
        "open /dev/spidev0.0: no such file or directory",
        nodes=r"/dev/spidev\d+\.\d+",
        words=r"spireg: no port found",
    ),
    Hardware(
        ONE_WIRE, "/sys/bus/w1/devices does not exist", nodes=r"/sys/bus/w1/", words=r"onewirereg: no bus found"
    ),
    Hardware(PWM, "open /sys/class/pwm/pwmchip0/export: no such file or directory", nodes=r"/sys/class/pwm/"),
    Hardware(LED, "open /sys/class/leds/led0/trigger: no such file or directory", nodes=r"/sys/class/leds/"),
    Hardware(USB_DISK, "/dev/sda1: no such file or directory", nodes=r"/dev/sd[a-z]\d*\b|/dev/disk/by-\w+/usb-"),
    Hardware(
        USB_SERIAL,
        "open /dev/ttyUSB0: no such file or directory",
        nodes=r"/dev/tty(?:USB|ACM)\d+|/dev/serial/by-\w+",
    ),
    Hardware(
        USB_DEVICE,
        "libusb: not found [code -5]",
        nodes=r"/dev/(?:hidraw|usb/\w+?)\d+|/dev/bus/usb",
        words=r"libusb: (?:not found|no device)",
    ),
    Hardware(
        SOUND,
        "cannot find card '0'",
        nodes=r"/dev/snd\b|/dev/dsp\d?\b",
        words=r"no sound ?cards? found|cannot find card '|unknown PCM",
    ),
    Hardware(
        CAMERA,
        "open /dev/video0: no such file or directory",
        nodes=r"/dev/(?:video|media|vchiq)\d*\b",
        words=r"no cameras? (?:available|found|detected)",
    ),
    Hardware(CEC, "open /dev/cec0: no such file or directory", nodes=r"/dev/cec\d"),
    Hardware(
        TUNER,
        "No supported devices found.",
        nodes=r"/dev/(?:dvb|radio\d|swradio\d)",
        words=r"no supported (?:rtl-?sdr )?devices found",
    ),
    Hardware(
        MAILBOX, "open /dev/vcio: no such file or directory", nodes=r"/dev/(?:vcio|vc-mem|vcsm-cma|mailbox)\b"
    ),
    Hardware(WATCHDOG, "open /dev/watchdog: no such file or directory", nodes=r"/dev/watchdog\d?"),
    Hardware(CLOCK, "open /dev/rtc0: no such file or directory", nodes=r"/dev/rtc\d?\b"),
    Hardware(TPM, "open /dev/tpm0: no such file or directory", nodes=r"/dev/tpm(?:rm)?\d"),
)

NAMES = tuple(one.name for one in HARDWARE)

_ABSENT = (
    r"no such (?:file|device|network interface)|(?:not|never) (?:found|present|available|appear)"
    r"|(?:does|do|did) ?n[o']t exist|cannot find|can't find|unable to find|missing|\b(?:ENOENT|ENODEV|ENXIO)\b"
    r"|\bNotFound\b"
)


def missed_in(line: str, service: str) -> str:
    """Return the hardware that a service misses according to this line of its log; "" for any other line.

    ``service`` is the service's name, the last part of its path.
    """
    for one in HARDWARE:
        patterns = [one.words, *(words for name, words in one.of if name == service)]
        if any(pattern and re.search(pattern, line, re.IGNORECASE) for pattern in patterns):
            return one.name
        if one.nodes and re.search(one.nodes, line, re.IGNORECASE) and re.search(_ABSENT, line, re.IGNORECASE):
            return one.name
    return ""

"""What a program says when it misses hardware, told from what it says of other things."""

from __future__ import annotations

import pytest

from harness.boards import board, boards, hardware
from harness.boards.board import Board
from harness.boards.hardware import missed_in


@pytest.mark.parametrize(
    ("service", "line", "missed"),
    [
        ("fbstatus", "2026/11/26 00:35:10 open /dev/fb0: no such file or directory", "display"),
        ("kiosk", "could not open /dev/dri/card0: No such file or directory", "display"),
        ("wifi", "2026/11/26 00:35:10 no interfaces found", "Wi-Fi"),
        ("wifi", "2026/11/26 00:35:10 netlink receive: no such file or directory", "Wi-Fi"),
        ("wifi", "config socket: no such device: wlan0", "Wi-Fi"),
        ("hostapd", "Could not read interface wlan0 flags: No such device", "Wi-Fi"),
        ("ble", "can't init hci: no devices available: (hci0: can't down device: no such device)", "Bluetooth"),
        ("relay", "panic: open /dev/gpiomem: no such file or directory", "GPIO pins"),
        ("relay", "error requesting line: open /dev/gpiochip0: no such device", "GPIO pins"),
        ("bme280", 'i2creg: can\'t open bus "1": i2creg: no bus found; did you forget to call Init()?', "I2C bus"),
        ("bme280", "FileNotFoundError: [Errno 2] No such file or directory: '/dev/i2c-1'", "I2C bus"),
        ("lora", "open /dev/spidev0.0: no such file or directory", "SPI bus"),
        ("backup", "mount /dev/sda1: no such file or directory", "USB disk"),
        ("zigbee", "Error: ENOENT: no such file or directory, open '/dev/ttyUSB0'", "USB serial adapter"),
        ("music", "ALSA lib confmisc.c:767:(parse_card) cannot find card '0'", "sound card"),
        ("camera", "Cannot open '/dev/video0': 2, No such file or directory", "camera"),
        ("tv", "open /dev/cec0: no such device", "HDMI-CEC"),
        ("temp", "open /dev/vcio: no such file or directory", "VideoCore mailbox"),
        ("dog", "open /dev/watchdog: no such file or directory", "watchdog"),
        ("rtc", "open /dev/rtc0: no such file or directory", "real-time clock"),
    ],
)
def test_the_words_of_a_program_tell_which_hardware_it_misses(service: str, line: str, missed: str) -> None:
    assert missed_in(line, service) == missed


@pytest.mark.parametrize(
    ("service", "line"),
    [
        ("hello", "panic: runtime error: index out of range [3] with length 2"),
        ("hello", "open /etc/hello.conf: no such file or directory"),
        ("hello", "no interfaces found"),
        ("hello", "netlink receive: no such file or directory"),
        ("fbstatus", "virtual resolution doesn't match framebuffer size"),
        ("fbstatus", "drawing on /dev/fb0"),
        ("backup", "mount /dev/sda1: invalid argument"),
        ("wifi", "connecting on wlan0"),
        ("gw", "open /dev/vda4: no such file or directory"),
    ],
)
def test_other_words_are_no_missing_hardware(service: str, line: str) -> None:
    assert missed_in(line, service) == ""


@pytest.mark.parametrize("one", boards(), ids=lambda one: one.name)
def test_what_a_board_has_is_in_the_table_and_the_rest_is_what_it_lacks(one: Board) -> None:
    assert set(one.has) <= set(hardware.NAMES)
    assert {*one.has, *one.lacks} == set(hardware.NAMES)
    assert not set(one.has) & set(one.lacks)
    assert {"Wi-Fi", "Bluetooth"} <= set(one.lacks)


def test_only_boards_with_a_display_have_a_program_at_fault_that_finds_none() -> None:
    assert "display" in board("pc-bios").has
    assert "display" in board("virt").lacks


@pytest.mark.parametrize("one", hardware.HARDWARE, ids=lambda one: one.name)
def test_the_example_in_the_table_is_heard(one: hardware.Hardware) -> None:
    assert missed_in(one.example, "some-service") == one.name

"""How services ended, read out of logs as devices streamed them."""

from __future__ import annotations

from harness.gokrazy.endings import Attempt, attempts
from harness.gokrazy.logs import LogLine

FBSTATUS = """\
2026/11/26 00:35:09 gokrazy: attempt 0, starting ["/user/fbstatus"]
2026/11/26 00:35:10 opening next free console /dev/tty2
2026/11/26 00:35:10 open /dev/fb0: no such file or directory
2026/11/26 00:35:10 gokrazy: exit status 1
2026/11/26 00:35:11 gokrazy: attempt 1, starting ["/user/fbstatus"]
2026/11/26 00:35:11 opening next free console /dev/tty1"""
PANICS = """\
2026/11/26 00:35:09 gokrazy: attempt 0, starting ["/user/relay"]
panic: open /dev/gpiomem: no such file or directory

goroutine 1 [running]:
main.main()
\t/build/main.go:12 +0x1d
2026/11/26 00:35:10 gokrazy: exit status 2"""


def log(text: str, stream: str = "stderr") -> list[LogLine]:
    return [LogLine(stream, line, 0.0) for line in text.splitlines()]


def test_each_process_is_told_with_its_end_and_its_last_words() -> None:
    first, second = attempts(log(FBSTATUS))
    assert (first.number, first.ended, first.left) == (0, "exit status 1", False)
    assert first.last_words == "open /dev/fb0: no such file or directory"
    assert (second.number, second.ended) == (1, "")


def test_a_crash_is_told_by_its_first_line() -> None:
    assert [one.last_words for one in attempts(log(PANICS))] == [
        "panic: open /dev/gpiomem: no such file or directory"
    ]


def test_a_farewell_is_not_why_it_ended() -> None:
    text = FBSTATUS.replace(
        "2026/11/26 00:35:10 gokrazy: exit",
        "2026/11/26 00:35:10 shutting down now\n2026/11/26 00:35:10 gokrazy: exit",
    )
    assert attempts(log(text))[0].last_words == "open /dev/fb0: no such file or directory"
    assert Attempt(0, ["no wlan0", "cannot exit from the parser of /etc/x.conf"]).last_words.startswith(
        "cannot exit"
    )


def test_leaving_on_purpose_is_told_from_falling() -> None:
    start = '2026/11/26 00:35:09 gokrazy: attempt 0, starting ["/user/ends"]\n'
    for said, ended in (
        ("exited successfully, stopping", "status 0"),
        ("process should not be supervised, stopping", "status 125"),
    ):
        (one,) = attempts(log(f"{start}2026/11/26 00:35:17 gokrazy: {said}"))
        assert (one.ended, one.left) == (ended, True)
    for said in ("exit status 1", "signal: killed", "fork/exec /user/ends: exec format error"):
        (one,) = attempts(log(f"{start}2026/11/26 00:35:17 gokrazy: {said}"))
        assert (one.ended, one.left) == (said, False)


def test_what_init_says_besides_ends_nothing() -> None:
    lines = (
        '2026/11/26 00:35:09 gokrazy: attempt 4, starting ["/user/hello"]\n'
        "2026/11/26 00:35:09 gokrazy: removing no longer existing diversion"
    )
    (one,) = attempts(log(lines))
    assert (one.number, one.ended) == (4, "")


def test_a_start_that_the_device_has_forgotten_is_left_out() -> None:
    assert attempts(log("some words\n2026/11/26 00:35:10 gokrazy: exit status 1")) == []


def test_who_only_writes_to_standard_output_is_quoted_from_there() -> None:
    start = log(
        '2026/11/26 00:35:09 gokrazy: attempt 0, starting ["/user/x"]\n2026/11/26 00:35:10 gokrazy: exit status 1'
    )
    (one,) = attempts([*log("x: reading\nx: open /dev/i2c-1: no such file or directory", "stdout"), *start])
    assert one.last_words == "x: open /dev/i2c-1: no such file or directory"

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from harness.console.lines import Line, LineSplitter


def split(data: bytes, cuts: list[int] | None = None, *, longest: int = 8192) -> list[Line]:
    splitter = LineSplitter(longest=longest)
    edges = [0, *sorted(cuts or []), len(data)]
    lines = [
        line for a, b in itertools.pairwise(edges) for line in splitter.feed(data[a:b], offset=a, at=float(b))
    ]
    return lines + splitter.close(offset=len(data), at=0.0)


def texts(data: bytes) -> list[str]:
    return [line.text for line in split(data)]


def test_line_ends_of_all_kinds() -> None:
    assert texts(b"one\r\ntwo\nthree\r\r\n\r\nfour") == ["one", "two", "three", "", "four"]


def test_escape_sequences_of_firmware_and_shell_are_gone() -> None:
    edk2 = b"\x1b[2J\x1b[01;01H\x1b[=3h\x1b[2J\x1b[01;01HBdsDxe: loading Boot0002\r\n"
    assert texts(edk2 + b"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1)\n") == [
        "BdsDxe: loading Boot0002",
        "SeaBIOS (version 1)",
    ]
    assert texts(b"\x1b[1;36m/proc/self/exe\x1b[m -> x\x1b[6n\r\n") == ["/proc/self/exe -> x"]


def test_a_kernel_line_inside_a_programs_line_is_taken_out() -> None:
    lines = split(
        b"2026/11/22 now listening on 10.0[   12.345678] EXT4-fs (vda4): mounted\r\n"
        b"[   12.400000] more\r\n.2.15:80\r\n"
    )
    assert [(line.text, line.kernel) for line in lines] == [
        ("[   12.345678] EXT4-fs (vda4): mounted", True),
        ("[   12.400000] more", True),
        ("2026/11/22 now listening on 10.0.2.15:80", False),
    ]


def test_the_kernels_first_line_ends_what_the_firmware_left_open() -> None:
    assert texts(b"Booting...[    0.000000] Linux version 7\r\nhello\r\n") == [
        "Booting...",
        "[    0.000000] Linux version 7",
        "hello",
    ]


def test_caller_ids_of_the_kernel_are_known() -> None:
    assert split(b"[    1.000000][    T1] hi\r\n")[0].kernel


def test_a_menu_that_moves_the_cursor_has_lines_too() -> None:
    menu = b" \x1b[2J\x1b[01;01H\x1b[25;23H\x1b[0m   Reboot   \x1b[27;01H\x1b[0m  Boot in 10 s. \x1b[26;20H\xc4"
    splitter = LineSplitter()
    live = splitter.feed(menu, offset=0, at=0.0)
    assert [line.text for line in live] == [" ", "   Reboot   ", "  Boot in 10 s. "]


def test_a_line_without_end_is_cut() -> None:
    assert [len(text) for text in texts(b"x" * 20000)] == [8192, 8192, 3616]


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert texts(b"\xff\x00\x80a\r\n") == ["��a"]


def test_offsets_are_where_lines_end() -> None:
    assert [line.offset for line in split(b"ab\r\ncdef\n")] == [4, 9]


pieces = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"text", b"[    1.000000] k", b"\x1b[2J", b"\x1b[01;01H", b"\x1b", b"[", b"\xc3\xa4"]
)


@given(st.lists(pieces, max_size=40).map(b"".join), st.data())
def test_chunks_change_nothing(data: bytes, draw: st.DataObject) -> None:
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=20))
    whole = [(line.text, line.kernel, line.offset) for line in split(data, longest=30)]
    assert [(line.text, line.kernel, line.offset) for line in split(data, cuts, longest=30)] == whole

"""The body of a request: of known length, in chunks, too long, cut off."""

from __future__ import annotations

import io
from email.message import Message
from pathlib import Path

import pytest

from harness.bootery.body import receive
from harness.bootery.refusal import CallerGone, Refusal


def got(folder: Path, sent: bytes, **headers: str) -> bytes:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    into = folder / "got"
    assert receive(message, io.BytesIO(sent), into, limit=100, what="boot file system") == into.stat().st_size
    return into.read_bytes()


def test_a_body_of_known_length_ends_there(tmp_path: Path) -> None:
    assert got(tmp_path, b"hsqs and more", Content_Length="4") == b"hsqs"


def test_a_body_in_chunks_is_put_together(tmp_path: Path) -> None:
    sent = b"4;name=value\r\nhsqs\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
    assert got(tmp_path, sent, Transfer_Encoding="chunked") == b"hsqs0123456789"


@pytest.mark.parametrize(
    "sent", [b"", b"4\r\nhs", b"4\r\nhsqs", b"4\r\nhsqsXX0\r\n\r\n", b"-4\r\nhsqs\r\n", b"0x4\r\nhsqs\r\n"]
)
def test_chunks_that_end_too_early_or_make_no_sense_are_no_body(tmp_path: Path, sent: bytes) -> None:
    with pytest.raises(CallerGone, match="the boot file system broke off after"):
        got(tmp_path, sent, Transfer_Encoding="chunked")


def test_a_body_that_ends_too_early_is_none(tmp_path: Path) -> None:
    with pytest.raises(CallerGone, match="broke off after 4 bytes"):
        got(tmp_path, b"hsqs", Content_Length="5")


@pytest.mark.parametrize(
    ("headers", "sent", "status"),
    [
        ({"Content_Length": "101"}, b"", 413),
        ({"Transfer_Encoding": "chunked"}, b"65\r\n" + bytes(101), 413),
        ({"Content_Length": "0"}, b"", 400),
        ({}, b"", 400),
        ({"Content_Length": "-1"}, b"", 400),
        ({"Transfer_Encoding": "gzip"}, b"", 501),
    ],
)
def test_what_cannot_be_taken_is_refused(
    tmp_path: Path, headers: dict[str, str], sent: bytes, status: int
) -> None:
    with pytest.raises(Refusal) as caught:
        got(tmp_path, sent, **headers)
    assert caught.value.status == status

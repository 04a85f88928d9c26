"""Breakglass with flags of its owner's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.build.breakglass_flags import with_flags
from harness.image.breakglass_flags import flag
from harness.image.load import load_raw
from harness.image.model import Breakglass, Image

IN_IMAGE = "/etc/breakglass.authorized_keys"


@pytest.mark.parametrize(
    ("args", "port"),
    [
        (["-port=2222"], "2222"),
        (["--port=2222"], "2222"),
        (["-port", "2222"], "2222"),
        (["-authorized_keys", "/perm/-port=1", "-port=2222"], "2222"),
        (["-port=22", "-port=2222"], "2222"),
        (["-enable_banner", "-port=2222"], "2222"),
        (["x", "-port=2222"], ""),
        (["-port"], ""),
        ([], ""),
    ],
)
def test_flags_are_read_as_go_reads_them(args: list[str], port: str) -> None:
    assert flag(args, "port") == port


def flagged(image: Image, *args: str) -> Breakglass | None:
    services = tuple(replace(one, args=args) if one.name == "rescue" else one for one in image.services)
    return with_flags(replace(image, services=services)).breakglass


def test_what_an_instance_says_of_breakglass_is_what_is_connected_to(small_image: Path) -> None:
    image = load_raw(small_image)
    usual = Breakglass(path="/user/rescue", authorized_keys=IN_IMAGE, has_keys=True)
    assert flagged(image) == usual
    assert flagged(image, "-port=2222", f"-authorized_keys={IN_IMAGE}") == replace(usual, port=2222)
    assert flagged(image, "-authorized_keys=ec2") == usual
    elsewhere = replace(usual, authorized_keys="/perm/ssh/keys", has_keys=False)
    assert flagged(image, "-authorized_keys=/perm/ssh/keys") == elsewhere
    assert flagged(image, "-authorized_keys=/etc/hostname") == replace(usual, authorized_keys="/etc/hostname")
    assert with_flags(replace(image, breakglass=None)).breakglass is None

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.firmware.raspberry.flat_tree import DEEPEST, MAGIC, DeviceTree, Node, TreeError, dump, parse
from harness.tests.firmware.raspberry.pi import DATA, PI3_TREE, real

BLOBS = sorted(DATA.glob("*.dtb")) + sorted(DATA.glob("overlays/*"))


@pytest.mark.parametrize("path", BLOBS, ids=lambda path: path.name)
def test_a_real_tree_is_written_back_as_it_was_read(path: Path) -> None:
    tree = parse(path.read_bytes())
    assert parse(dump(tree)) == tree
    assert dump(parse(dump(tree))) == dump(tree)


@pytest.mark.skipif(shutil.which("dtc") is None, reason="not installed here: dtc (device-tree-compiler)")
@pytest.mark.parametrize("path", [DATA / PI3_TREE, DATA / "overlays/i2c-rtc.dtbo"], ids=lambda path: path.name)
def test_libfdt_reads_the_same_out_of_what_was_written(path: Path) -> None:
    def source(blob: bytes) -> bytes:
        command = ["dtc", "-q", "-I", "dtb", "-O", "dts"]
        return subprocess.run(command, input=blob, capture_output=True, check=True).stdout

    assert source(dump(parse(path.read_bytes()))) == source(path.read_bytes())


def test_nodes_and_properties_are_found_as_linux_would() -> None:
    tree = parse(real(PI3_TREE))
    assert tree.model == "Raspberry Pi 3 Model B"
    assert tree.symbols["uart0"] == "/soc/serial@7e201000"
    uart = tree.root.find("/soc/serial@7e201000")
    assert uart is not None
    assert uart.text("compatible") == "arm,pl011"
    assert uart.phandle is not None
    assert tree.by_phandle(uart.phandle) is uart
    assert tree.root.find("/soc/serial") is None, "there are two: a name without address must be the only one"
    assert tree.root.find("/soc/nothing") is None


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (b"", "only 0 bytes"),
        (b"\0" * 64, "does not begin like a device tree, but with 00 00 00 00"),
        (real(PI3_TREE)[:1000], "cut off: it has 1000 bytes"),
        (MAGIC.to_bytes(4, "big") + b"\xff" * 60, "cut off"),
    ],
)
def test_what_is_no_tree_is_said(blob: bytes, said: str) -> None:
    with pytest.raises(TreeError, match=said):
        parse(blob)


def test_a_tree_deeper_than_any_is_refused_before_python_is() -> None:
    root = node = Node()
    for _ in range(DEEPEST):
        node.children.append(Node("x"))
        node = node.children[0]
    with pytest.raises(TreeError, match="levels deep"):
        parse(dump(DeviceTree(root)))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1072), st.integers(0, 255)), min_size=1, max_size=8), st.integers(0, 1073)
)
def test_a_damaged_tree_is_read_or_refused(damage: list[tuple[int, int]], kept: int) -> None:
    blob = bytearray(real("overlays/disable-bt.dtbo"))
    for at, byte in damage:
        blob[at] = byte
    for candidate in (bytes(blob), bytes(blob[:kept])):
        try:
            tree = parse(candidate)
        except TreeError:
            continue
        assert parse(dump(tree)) == tree

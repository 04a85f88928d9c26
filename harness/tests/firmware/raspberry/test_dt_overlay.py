from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.firmware.raspberry.dt_overlay import MissingNode, fragments, merge, resolve
from harness.firmware.raspberry.flat_tree import DeviceTree, Node, TreeError, dump, parse
from harness.tests.firmware.raspberry.pi import DATA, PI3_TREE, PI4_TREE, real

OVERLAYS = sorted((DATA / "overlays").glob("*.dtbo"))
AIMED_AT_THEMSELVES = ["mcp23017", "pwm1"]
"""libfdt refuses an overlay with a fragment for a node of its own, unless an earlier fragment has brought it."""


def merged(base: str, overlay: DeviceTree) -> DeviceTree:
    tree = parse(real(base))
    resolve(tree, overlay)
    merge(tree, overlay)
    return tree


def flat(tree: DeviceTree) -> dict[str, dict[str, bytes]]:
    """Every node by its path, without what the firmware does otherwise: private labels, bootargs that grow."""
    nodes = {path: dict(node.properties) for path, node in tree.root.walk()}
    nodes.pop("/__symbols__")
    nodes["/chosen"].pop("bootargs", None)
    return nodes


@pytest.mark.skipif(
    shutil.which("fdtoverlay") is None, reason="not installed here: fdtoverlay (device-tree-compiler)"
)
@pytest.mark.parametrize("base", [PI3_TREE, PI4_TREE])
@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.stem)
def test_libfdt_merges_an_overlay_to_the_same_tree(path: Path, base: str, tmp_path: Path) -> None:
    out = tmp_path / "merged.dtb"
    # Labels are private to the overlay, and libfdt stumbles over those in fragments that are not merged.
    # The phandle of a fragment's body is for parameters: libfdt gives it to the target, the firmware does not.
    plain = parse(path.read_bytes())
    plain.root.children = [node for node in plain.root.children if node.name != "__symbols__"]
    for fragment in fragments(plain):
        for body in fragment.children:
            body.properties.pop("phandle", None)
    (tmp_path / "plain.dtbo").write_bytes(dump(plain))
    command = ["fdtoverlay", "-i", str(DATA / base), "-o", str(out), str(tmp_path / "plain.dtbo")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        ours = merged(base, parse(path.read_bytes()))
    except MissingNode:
        assert done.returncode, "libfdt found the node"
        return
    if done.returncode:
        assert path.stem in AIMED_AT_THEMSELVES, done.stderr
    else:
        assert flat(ours) == flat(parse(out.read_bytes()))


def test_a_fragment_for_the_overlay_itself_is_merged_first() -> None:
    led = merged(PI3_TREE, parse(real("overlays/act-led.dtbo"))).root.find("/leds/led-act")
    assert led is not None
    assert "gpios" in led.properties


def test_bootargs_grow() -> None:
    chosen = merged(PI3_TREE, parse(real("overlays/uart1.dtbo"))).root.child("chosen")
    assert chosen is not None
    assert chosen.text("bootargs").startswith("coherent_pool=1M ")
    assert chosen.text("bootargs").endswith(" 8250.nr_uarts=1")


def test_only_exported_labels_are_kept_and_as_paths_of_the_tree() -> None:
    labels = merged(PI3_TREE, parse(real("overlays/pisound-micro.dtbo"))).symbols
    assert labels["pisound_micro_ctrl"] == labels["i2c_arm"] + "/pisound_micro_ctrl@12"
    assert "pisound_micro_codec" not in labels


def test_an_alias_into_a_fragment_points_into_the_tree() -> None:
    body = Node("__overlay__", {"mine": b"/fragment@1/__overlay__/node\0", "other": b"/soc\0"})
    fragments = [
        Node("fragment@0", {"target-path": b"/aliases\0"}, [body]),
        Node("fragment@1", {"target-path": b"/soc\0"}, [Node("__overlay__", {}, [Node("node")])]),
    ]
    aliases = merged(PI3_TREE, DeviceTree(Node("", {}, fragments))).root.child("aliases")
    assert aliases is not None
    assert (aliases.text("mine"), aliases.text("other")) == ("/soc/node", "/soc")


def test_a_fragment_may_be_for_an_alias() -> None:
    body = Node("__overlay__", {"mark": b""})
    overlay = DeviceTree(Node("", {}, [Node("fragment@0", {"target-path": b"i2c1\0"}, [body])]))
    tree = merged(PI3_TREE, overlay)
    node = tree.root.find(tree.symbols["i2c1"])
    assert node is not None
    assert "mark" in node.properties


def test_a_dormant_fragment_does_nothing() -> None:
    overlay, base = parse(real("overlays/disable-bt.dtbo")), parse(real(PI3_TREE))
    resolve(base, overlay)
    for fragment in fragments(overlay):
        fragment.children[0].name = "__dormant__"
    merge(base, overlay)
    assert base == parse(real(PI3_TREE))


def test_an_overlay_for_other_hardware_names_what_is_missing() -> None:
    overlay = parse(real("overlays/i2c0.dtbo"))
    fixups = overlay.root.child("__fixups__")
    assert fixups is not None
    fixups.properties["i2c99"] = b"/fragment@0:target:0\0"
    with pytest.raises(MissingNode, match="refers to 'i2c99'"):
        merged(PI3_TREE, overlay)
    lost = DeviceTree(Node("", {}, [Node("fragment@0", {"target-path": b"/nowhere\0"}, [Node("__overlay__")])]))
    with pytest.raises(MissingNode, match="/nowhere"):
        merged(PI3_TREE, lost)


BASE = dump(parse(real(PI3_TREE)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(60, 1072), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_overlay_is_merged_or_refused(damage: list[tuple[int, int]]) -> None:
    blob = bytearray(real("overlays/disable-bt.dtbo"))
    for at, byte in damage:
        blob[at] = byte
    try:
        overlay = parse(bytes(blob))
        tree = parse(BASE)
        resolve(tree, overlay)
        merge(tree, overlay)
    except TreeError:
        return
    assert parse(dump(tree)) == tree

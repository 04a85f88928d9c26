"""Parameters: the forms of the documentation's own example, and those of real overlays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.firmware.raspberry.dt_overlay_parameters import ParameterError, has_parameter, set_parameter
from harness.firmware.raspberry.flat_tree import DeviceTree, Node, parse
from harness.tests.firmware.raspberry.pi import PI3_TREE, real

NODE, OTHER = b"\0\0\0\1", b"\0\0\0\2"
FRAGMENTS = b"\0\0\0\0"


def tree() -> DeviceTree:
    node = Node(
        "test_node",
        {
            "phandle": NODE,
            "string": b"hello\0",
            "status": b"disabled\0",
            "bytes": b"\x67\x89",
            "u16s": b"\xab\xcd\xef\x01",
            "u32s": b"\xfe\xdc\xba\x98\x76\x54\x32\x10",
            "u64s": bytes(16),
            "bool1": b"",
            "bootargs": b"a=1\0",
        },
    )
    bus = Node("rtc@68", {"phandle": OTHER, "reg": b"\0\0\0\x68"})
    fragments = [
        Node("fragment@0", {}, [Node("__overlay__", {}, [node, bus])]),
        Node("fragment@1", {}, [Node("__overlay__")]),
        Node("fragment-2", {}, [Node("__dormant__")]),
    ]
    return DeviceTree(Node("", {}, fragments))


def apply(declared: bytes, value: str | None) -> dict[str, bytes]:
    made = tree()
    made.root.children.append(Node("__overrides__", {"p": declared}))
    set_parameter(made, "p", value)
    node = made.by_phandle(1)
    assert node is not None
    return node.properties


@pytest.mark.parametrize(
    ("declared", "value", "name", "result"),
    [
        (NODE + b"string\0", "longer than before", "string", b"longer than before\0"),
        (NODE + b"string\0", r"a\x41\101\n\\", "string", b"aAA\n\\\0"),
        (NODE + b"new\0", "x", "new", b"x\0"),
        (NODE + b"status\0", "on", "status", b"okay\0"),
        (NODE + b"status\0", None, "status", b"okay\0"),
        (NODE + b"status\0", "0", "status", b"disabled\0"),
        (NODE + b"status\0", "reserved", "status", b"reserved\0"),
        (NODE + b"bytes.1\0", "0xff", "bytes", b"\x67\xff"),
        (NODE + b"u16s;2\0", "0x1234", "u16s", b"\xab\xcd\x12\x34"),
        (NODE + b"u32s:4\0", "-1", "u32s", b"\xfe\xdc\xba\x98\xff\xff\xff\xff"),
        (NODE + b"u64s#8\0", "1", "u64s", bytes(15) + b"\1"),
        (NODE + b"u32s:8\0", "up", "u32s", b"\xfe\xdc\xba\x98\x76\x54\x32\x10\0\0\0\2"),
        (NODE + b"u32s:0\0", "down", "u32s", b"\0\0\0\1\x76\x54\x32\x10"),
        (NODE + b"fresh:4\0", "3", "fresh", b"\0\0\0\0\0\0\0\3"),
        (NODE + b"bool2?\0", "yes", "bool2", b""),
        (NODE + b"mac[\0", "b8:27:eb 01 2345", "mac", b"\xb8\x27\xeb\1\x23\x45"),
        (NODE + b"bootargs\0", "b=2", "bootargs", b"a=1 b=2\0"),
        # literals: text, number, cell, the next string, bytes
        (NODE + b"string=fixed\0", "ignored", "string", b"fixed\0"),
        (NODE + b"u32s:0=42\0", "7", "u32s", b"\0\0\0\x2a\x76\x54\x32\x10"),
        (NODE + b"u32s:0=\0" + b"\0\0\1\0", "7", "u32s", b"\0\0\1\0\x76\x54\x32\x10"),
        (NODE + b"string=\0/soc/serial@1\0", "7", "string", b"/soc/serial@1\0"),
        (NODE + b"string=\0", "7", "string", b"\0"),
        (NODE + b"bytestr[=b8:27\0", "7", "bytestr", b"\xb8\x27"),
        # tables
        (NODE + b"string{a=alpha,b=bravo,c,='tango uniform'}\0", "b", "string", b"bravo\0"),
        (NODE + b"string{a=alpha,b=bravo,c,='tango uniform'}\0", "c", "string", b"c\0"),
        (NODE + b"string{a=alpha,b=bravo,c,='tango uniform'}\0", "z", "string", b"tango uniform\0"),
        (NODE + b"string{a=alpha,}\0", "z", "string", b"z\0"),
        (NODE + b"string{,a=alpha}\0", "z", "string", b"z\0"),
        (NODE + b"u32s:0{0=\0\0\0\0\x11" + b"1=\0\0\0\0\x22" + b"}\0", "1", "u32s", b"\0\0\0\x22\x76\x54\x32\x10"),
        # two targets of two kinds
        (NODE + b"status\0" + NODE + b"u32s:0\0", "1", "u32s", b"\0\0\0\1\x76\x54\x32\x10"),
    ],
)
def test_a_value_is_written_as_the_declaration_says(
    declared: bytes, value: str | None, name: str, result: bytes
) -> None:
    assert apply(declared, value)[name] == result


def test_a_flag_is_there_or_not() -> None:
    assert "bool1" in apply(NODE + b"bool1?\0", "on")
    assert "bool1" not in apply(NODE + b"bool1?\0", "off")
    assert "bool1" not in apply(NODE + b"bool1!\0", "on")
    assert "bool1" in apply(NODE + b"bool1!\0", "off")


def test_an_address_renames_its_node_and_a_name_does() -> None:
    made = tree()
    made.root.children.append(Node("__overrides__", {"addr": OTHER + b"reg:0\0", "called": OTHER + b"name\0"}))
    made.root.children.append(Node("__symbols__", {"rtc": b"/fragment@0/__overlay__/rtc@68\0"}))
    set_parameter(made, "addr", "0x6f")
    node = made.by_phandle(2)
    assert node is not None
    assert (node.name, node.properties["reg"]) == ("rtc@6f", b"\0\0\0\x6f")
    assert made.symbols["rtc"] == "/fragment@0/__overlay__/rtc@6f"
    set_parameter(made, "called", "clock@1")
    assert node.name == "clock@1"


@pytest.mark.parametrize(
    ("operation", "value", "active"),
    [
        (b"+2-1", None, [True, False, True]),
        (b"=1", "off", [True, False, False]),
        (b"!2", "off", [True, True, True]),
        (b"=2!1", "any text is true", [True, False, True]),
        (b"-0", None, [False, True, False]),
    ],
)
def test_fragments_are_switched(operation: bytes, value: str | None, active: list[bool]) -> None:
    made = tree()
    made.root.children.append(Node("__overrides__", {"p": FRAGMENTS + operation + b"\0"}))
    set_parameter(made, "p", value)
    assert [fragment.children[0].name == "__overlay__" for fragment in made.root.children[:3]] == active


@pytest.mark.parametrize(
    ("declared", "value", "said"),
    [
        (NODE + b"u32s:0\0", "soon", "'soon' is no number"),
        (NODE + b"mac[\0", "b8:2", "not made of bytes"),
        (NODE + b"mac[\0", "00" * 33, "more than 32 bytes"),
        (NODE + b"string{a=1}\0", "b", "'b' is none of its values"),
        (NODE + b"string{a='1}\0", "a", "a quote in its table does not end"),
        (NODE + b"string{a=1\0", "a", "its table is damaged"),
        (NODE + b"string\0", r"\q", "wrong escape"),
        (NODE + b"string", "x", "cut off"),
        (NODE + b"u32s:0=\0\0\0", "x", "a number in its definition is cut off"),
        (NODE + b"u32s:999999\0", "1", "lies far outside"),
        (b"\0\0\0\x63string\0", "x", "a node that does not exist"),
        (FRAGMENTS + b"+7\0", "x", "there is no fragment 7"),
        (FRAGMENTS + b"nonsense\0", "x", "does not say which fragments"),
        (OTHER + b"name\0", "a/b", "no name for a node"),
    ],
)
def test_a_parameter_that_cannot_be_set_is_said(declared: bytes, value: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        apply(declared, value)


def test_parameters_of_a_real_tree() -> None:
    base = parse(real(PI3_TREE))
    assert has_parameter(base, "audio")
    assert not has_parameter(base, "unheard-of")
    set_parameter(base, "i2c_arm", "on")
    i2c = base.root.find(base.symbols["i2c_arm"])
    assert i2c is not None
    assert i2c.text("status") == "okay"
    set_parameter(base, "i2c_arm_baudrate", "400000")
    assert i2c.properties["clock-frequency"] == (400_000).to_bytes(4, "big")
    set_parameter(base, "strict_gpiod", None)
    chosen = base.root.child("chosen")
    assert chosen is not None
    assert chosen.text("bootargs").endswith(" pinctrl_bcm2835.persist_gpio_outputs=n")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([NODE, OTHER, FRAGMENTS, b""]),
    st.binary(max_size=40) | st.text("abreg:;.#?![{=},'+-0129\0", max_size=40).map(str.encode),
    st.text(max_size=12),
)
def test_whatever_is_declared_is_done_or_refused(phandle: bytes, declared: bytes, value: str) -> None:
    try:
        apply(phandle + declared, value)
    except ParameterError:
        return

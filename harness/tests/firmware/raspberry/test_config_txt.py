from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.firmware.raspberry.config_txt import (
    DEEPEST_INCLUDE,
    ConfigTxt,
    NotText,
    TreeChange,
    decide,
    integer,
    read_config_txt,
)
from harness.firmware.raspberry.models import MODELS, model
from harness.tests.firmware.raspberry.pi import real


def read(text: str | bytes, name: str = "pi4", **others: str) -> ConfigTxt:
    files = {"config.txt": text if isinstance(text, bytes) else text.encode()}
    files.update({f"{key}.txt": value.encode() for key, value in others.items()})
    return read_config_txt(files.get, model(name))


def overlays(text: str, name: str = "pi4") -> list[str]:
    return [change.dt_overlay for change in read(text, name).changes]


def test_the_file_of_kernel_rpi_is_read_without_a_warning() -> None:
    config = read(real("config.txt"))
    assert config == ConfigTxt(values={"arm_control": "0x200", "enable_uart": "0", "kernel": "vmlinuz"})


def test_the_last_value_counts_and_comments_do_not() -> None:
    config = read("# kernel=a\nkernel=b\n  # kernel=c\n\r\nkernel=d # not a comment\r\n")
    assert config.values == {"kernel": "d # not a comment"}
    assert config.warnings == []


@pytest.mark.parametrize(
    ("section", "models"),
    [
        ("all", {"pi2", "pi3", "pi3a+", "pi4"}),
        ("none", set()),
        ("pi2", {"pi2"}),
        ("pi3", {"pi3", "pi3a+"}),
        ("pi3+", {"pi3a+"}),
        ("pi4", {"pi4"}),
        ("PI4", {"pi4"}),
        ("pi400", set()),
        ("cm4", set()),
        ("pi02", set()),
        ("pi5", set()),
        ("board-type=0x11", {"pi4"}),
        ("board-type=8", {"pi3"}),
        ("EDID=VSC-TD2220", set()),
        ("0x12345678", set()),
        ("gpio4=1", set()),
        ("gpio4=0", set()),
        ("HDMI:1", {"pi2", "pi3", "pi3a+", "pi4"}),
        ("tryboot", set()),
        ("boot_partition=1", {"pi2", "pi3", "pi3a+", "pi4"}),
        ("boot_partition=2", set()),
        ("partition=2", set()),
    ],
)
def test_a_section_is_for_these_models(section: str, models: set[str]) -> None:
    assert {name for name in MODELS if overlays(f"[{section}]\ndtoverlay=x\n", name)} == models


@pytest.mark.parametrize(
    ("text", "applies"),
    [
        ("[pi3]\n[pi4]\nX", True),  # of one kind, the last counts
        ("[pi4]\n[pi3]\nX", False),
        ("[none]\n[pi4]\nX", True),
        ("[EDID=A]\n[pi4]\nX", False),  # of two kinds, both count
        ("[pi4]\n[boot_partition=1]\nX", True),
        ("[pi3]\n[boot_partition=1]\nX", False),
        ("[pi3]\n[all]\nX", True),
        ("[EDID=A]\n[all]\nX", True),
        ("[none]\n[unheard-of]\nX", False),  # an unknown one changes nothing
        ("[pi4]\n[unheard-of]\nX", True),
    ],
)
def test_sections_combine_as_the_documentation_says(text: str, applies: bool) -> None:
    assert bool(overlays(text.replace("X", "dtoverlay=x"))) is applies


def test_a_section_that_cannot_be_judged_is_named() -> None:
    assert read("[unheard-of]\n").warnings == [
        "config.txt line 1: ['unheard-of'] is an unknown filter, which changes nothing"
    ]
    assert "nothing is connected to the pins" in read("[gpio4=1]\n").warnings[0]
    assert "no serial number" in read("[0x1234]\n").warnings[0]
    assert read("[pi4]\n[EDID=x]\n[tryboot]\n[none]\n[all]\n").warnings == []


def test_parameters_belong_to_the_overlay_before_them_until_its_scope_ends() -> None:
    config = read(
        "dtparam=audio=on,spi\ndtparam=i2c_arm=on\ndtoverlay=i2c-rtc,ds3231\ndtparam=addr=0x69\n"
        "dtoverlay=\ndtparam=act_led_trigger=none\ndtoverlay=w1-gpio:gpiopin=4,pullup\n"
        "device_tree_overlay=wifimac,wifiaddr=b8:27:eb:00:00:01\ndtoverlay=none\ndevice_tree_param=hdmi=off\n"
    )
    assert config.changes == [
        TreeChange("", [("audio", "on"), ("spi", None), ("i2c_arm", "on")]),
        TreeChange("i2c-rtc", [("ds3231", None), ("addr", "0x69")]),
        TreeChange("", [("act_led_trigger", "none")]),
        TreeChange("w1-gpio", [("gpiopin", "4"), ("pullup", None)]),
        TreeChange("wifimac", [("wifiaddr", "b8:27:eb:00:00:01")]),
        TreeChange("", [("hdmi", "off")]),
    ]
    assert config.warnings == []


def test_what_lies_behind_the_longest_line_does_not_count() -> None:
    line = "dtoverlay=x," + "a" * 84 + "bcd"
    config = read(line)
    assert config.changes[0].parameters == [("a" * 84 + "bc", None)]
    assert config.warnings == ["config.txt line 1: only the first 98 characters count, so not 'd'"]
    assert read("#" + "x" * 200).warnings == []


def test_an_included_file_stands_in_its_place() -> None:
    config = read(
        "[pi3]\ninclude extra.txt\n[all]\nkernel=a\ninclude more.txt\n", extra="kernel=b", more="kernel=c"
    )
    assert config.values == {"kernel": "c"}
    config = read("include gone.txt")
    assert config.warnings == ["config.txt line 1: there is no gone.txt to include"]


def test_a_file_that_includes_itself_ends() -> None:
    config = read("include config.txt\nkernel=a")
    assert config.values == {"kernel": "a"}
    assert config.warnings == [
        f"config.txt line 1: config.txt is not included: there are {DEEPEST_INCLUDE} files around this one already"
    ]


def test_initramfs_has_a_form_of_its_own() -> None:
    assert read("initramfs a.img,b.img followkernel").initramfs == ["a.img", "b.img"]
    assert read("ramfsfile=c.img\nramfsaddr=0x800000").initramfs == ["c.img"]


@pytest.mark.parametrize(
    "line", ["gpu_mem=16", "hdmi_group:1=2", "arm_freq=1500", "disable_splash=1", "start_x=1"]
)
def test_what_cannot_matter_to_the_kernel_is_not_mentioned(line: str) -> None:
    assert read(line).warnings == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("total_mem=512", "total_mem has no effect here: the memory is the board's in QEMU"),
        ("otg_mode=1", "otg_mode has no effect here: QEMU has the DWC2 controller only"),
        ("dtoverlays=x", "did you mean dtoverlay?"),
        ("unheard_of=1", "unheard_of has no effect here"),
        ("nonsense", "'nonsense' is neither a section nor property=value: ignored"),
    ],
)
def test_what_is_not_played_is_named(line: str, said: str) -> None:
    warnings = read(f"\n{line}").warnings
    assert len(warnings) == 1
    assert warnings[0].startswith("config.txt line 2: ")
    assert warnings[0].endswith(said)


def test_without_a_file_there_are_the_defaults() -> None:
    config = read_config_txt(lambda name: None, model("pi3"))
    assert config.values == {}
    assert config.warnings == ["there is no config.txt: the firmware's defaults are used"]


def test_what_a_cut_off_write_leaves_is_refused() -> None:
    with pytest.raises(NotText, match=r"config.txt is no text: it has byte 00 at 10"):
        read(b"kernel=vml\0\0\0")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0x10", 16),
        ("010", 8),
        ("10", 10),
        ("-1", -1),
        ("", None),
        ("0", 0),
        ("08", None),
        ("1 ", None),
        ("on", None),
    ],
)
def test_numbers_are_read_as_c_reads_them(text: str, number: int | None) -> None:
    assert integer(text) == number


ODD_LINES = """\
[all] [pi3] [none] [gpio4=1] [ ] [] [=] [board-type=] include=config.txt initramfs = dtoverlay dtoverlay=
dtoverlay=: dtoverlay=, dtparam= dtparam==,= kernel= # device_tree= os_prefix=/ hdmi:=1"""
LINES = st.sampled_from([*ODD_LINES.split(), "include config.txt", "include a.txt", "initramfs , 0"]) | st.text()


@settings(max_examples=100, deadline=None)
@given(st.lists(LINES, max_size=20), st.lists(LINES, max_size=5), st.sampled_from(sorted(MODELS)))
def test_whatever_the_file_says_it_is_read_or_refused(lines: list[str], included: list[str], name: str) -> None:
    files = {"config.txt": "\n".join(lines).encode(), "a.txt": "\n".join(included).encode()}
    try:
        config = read_config_txt(files.get, model(name))
    except NotText:
        return
    assert all(change.dt_overlay or change.parameters is not None for change in config.changes)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_whatever_bytes_it_has_it_is_read_or_refused(content: bytes) -> None:
    try:
        read(content)
    except NotText:
        assert any(byte < 32 for byte in content)


def test_every_kind_of_filter_is_distinguished() -> None:
    assert decide("pi4", model("pi4"))[0] == decide("board-type=1", model("pi4"))[0] == "model"
    assert decide("EDID=x", model("pi4"))[0] == "edid"

"""Options: each is checked once, and says which one is wrong."""

from pathlib import Path

import pytest

from harness.errors import OptionError
from harness.machine.extra_disk import ExtraDisk
from harness.machine.ports import Port
from harness.option import Option
from harness.options import OPTIONS, Settings, must_be_readable, settings_from


def test_nothing_said_means_the_defaults() -> None:
    assert settings_from({option.ini: None for option in OPTIONS}) == Settings()


def test_boards_are_split_at_commas_and_repeated_modules_kept() -> None:
    settings = settings_from({"gk_board": ["virt, pc-bios", "pc-uefi"], "gk_with": ["a@v1", "b@v2"]})
    assert settings.boards == ("virt", "pc-bios", "pc-uefi")
    assert settings.with_modules == ("a@v1", "b@v2")


PLACES = [option for option in OPTIONS if option.place]


@pytest.mark.parametrize("option", PLACES, ids=lambda option: option.name)
@pytest.mark.parametrize("typed", ["sub/it", "./sub/it", "sub/../sub/it", "{home}/sub/it", "~/sub/it"])
def test_a_path_becomes_absolute_however_it_is_typed(
    option: Option, typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "sub/it").mkdir(parents=True)
    assert option.located(typed.format(home=tmp_path), tmp_path) == str(tmp_path / "sub/it")
    assert option.located("../it", tmp_path / "sub/it") == str(tmp_path / "sub/it")


def test_a_link_stays_what_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.img").touch()
    (tmp_path / "b.img").symlink_to("real/a.img")
    assert settings_from({"gk_image": "b.img"}, folder=tmp_path).image == tmp_path / "b.img"
    assert settings_from({"gk_image": "real/../b.img"}, folder=tmp_path).image == tmp_path / "b.img"


def test_what_is_no_path_stays_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOKRAZY_PARENT_DIR", str(tmp_path / "gokrazy"))
    named = tmp_path / "gokrazy/hello"
    named.mkdir(parents=True)
    (named / "config.json").touch()
    here = tmp_path / "here"
    (here / "hello").mkdir(parents=True)
    said = {"gk_instance": "hello", "gk_kernel": "github.com/gokrazy/kernel.amd64@latest"}
    settings = settings_from(said, folder=here)
    # A folder of that name which is no instance does not stand in the way of one that is.
    assert settings.instance == "hello"
    assert settings.kernel == said["gk_kernel"]
    (here / "hello/config.json").touch()
    assert settings_from(said, folder=here).instance == str(here / "hello")


def test_an_empty_path_and_an_unknown_user_are_refused_by_the_flag_s_name() -> None:
    with pytest.raises(OptionError, match="--gk-image is empty"):
        settings_from({"gk_image": ""})
    with pytest.raises(OptionError, match="--gk-cache ~nobody-of-that-name/x: there is no such user"):
        settings_from({"gk_cache": "~nobody-of-that-name/x"})


@pytest.mark.parametrize("name", ["password-file", "ssh-key"])
def test_a_file_that_is_not_there_is_refused_by_the_flag_s_name(name: str, tmp_path: Path) -> None:
    settings = settings_from({f"gk_{name.replace('-', '_')}": "nothing"}, folder=tmp_path)
    with pytest.raises(OptionError, match=f"--gk-{name} cannot be read: No such file") as raised:
        must_be_readable(settings)
    assert raised.value.where == str(tmp_path / "nothing")


def test_the_settings_hold_no_relative_path() -> None:
    assert Settings().artifacts.is_absolute()
    said = {option.ini: "sub/x" for option in PLACES if option.name not in ("image", "kernel", "disk")}
    settings = settings_from({**said, "gk_kernel": "./k"})
    paths = [settings.artifacts, settings.cache, settings.password_file, settings.ssh_key]
    names = [settings.instance, settings.next_image, settings.from_image]
    assert all(path is not None and path.is_absolute() for path in paths)
    assert str(settings.kernel).startswith("/")
    # Nothing is there, so an instance could be a name; what it is looked for by is said in the error.
    assert names == ["sub/x"] * 3


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if option.choices], ids=lambda option: option.name
)
def test_a_value_that_is_no_choice_is_refused_by_the_option_s_name(option: Option) -> None:
    with pytest.raises(OptionError, match=option.flag):
        settings_from({option.ini: "nonsense"})


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan"])
def test_a_time_factor_is_a_number_above_0(value: str) -> None:
    with pytest.raises(OptionError, match="--gk-time-factor"):
        settings_from({"gk_time_factor": value})


def test_ports_are_split_at_commas_and_tcp_unless_they_say_udp() -> None:
    asked = settings_from({"gk_forward": ["80, 53/udp", "8080/tcp"]})
    assert asked.forward == (Port(80), Port(53, "udp"), Port(8080))
    assert asked.equipment.forwards == asked.forward


def test_what_is_said_of_services_is_kept_as_it_is() -> None:
    asked = settings_from({"gk_must_run": ["hello", "a, b"], "gk_expect": ["wifi: restarts"]})
    assert (asked.must_run, asked.expect) == (("hello", "a, b"), ("wifi: restarts",))


@pytest.mark.parametrize("value", ["http", "0", "80;443", "53/tpc"])
def test_a_port_that_is_none_is_refused_by_the_option_s_name(value: str) -> None:
    with pytest.raises(OptionError, match="--gk-forward"):
        settings_from({"gk_forward": [value]})


@pytest.mark.parametrize(
    ("name", "value"), [("memory", "127"), ("memory", "1G"), ("memory", "-512"), ("cpus", "0"), ("cpus", "65")]
)
def test_memory_and_processors_have_bounds(name: str, value: str) -> None:
    with pytest.raises(OptionError, match=f"--gk-{name}") as caught:
        settings_from({f"gk_{name}": value})
    assert caught.value.hint.startswith("from ")


def test_a_machine_of_one_s_own_is_one_record(tmp_path: Path) -> None:
    disk = tmp_path / "a,b.img"
    disk.write_bytes(b"QFI\xfb".ljust(4096, b"\0"))
    asked = settings_from(
        {"gk_memory": "1024", "gk_cpus": "4", "gk_disk": [str(disk), "64M"], "gk_qemu_arg": ["-d", "int,cpu"]}
    ).equipment
    assert (asked.memory, asked.cpus, asked.qemu_args) == (1024, 4, ("-d", "int,cpu"))
    assert asked.disks == (ExtraDisk(disk, file_format="qcow2"), ExtraDisk(size=64 << 20))


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no file"), (b"\x1f\x8b\x08\0", "gzip file"), (b"PK\x03\x04", "zip file")]
)
def test_a_disk_that_cannot_be_one_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "disk").write_bytes(content)
    with pytest.raises(OptionError, match=f"--gk-disk: .*{said}"):
        settings_from({"gk_disk": [str(tmp_path / "disk")]})


@pytest.mark.parametrize("value", ["0M", "17T", "64m", "64"])
def test_a_size_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(OptionError, match="--gk-disk"):
        settings_from({"gk_disk": [value]})


def test_an_instance_and_an_image_at_once_are_refused() -> None:
    with pytest.raises(OptionError, match="two things to test"):
        settings_from({"gk_instance": "a", "gk_image": "b"})


def test_parts_are_split_at_commas_and_called_as_their_table_has_them() -> None:
    asked = settings_from({"gk_hardware": ["igb+nvme, ahci", "nvme+igb"]})
    assert asked.hardware == ("nvme+igb", "ahci")
    with pytest.raises(OptionError, match="--gk-hardware: there is no part 'toaster'"):
        settings_from({"gk_hardware": ["nvme+toaster"]})


def test_every_option_has_a_field() -> None:
    samples = {
        "FACTOR": "1",
        "N": "1",
        "I/N": "1/2",
        "PART[+PART]": "nvme",
        "PORT[,PORT]": "80",
        "MIB": "256",
        "FILE|SIZE": "1M",
        "SERVICE:FATE": "x:runs",
        "NAME: NUMBER": "root: 1",
        "NAME:SEVERITY:PATTERN->MEANING": "x: noted: y",
        "CHECK:REASON": "oom-kill: why",
        "URL": "http://x",
        "KIND[,KIND]": "shell",
    }
    for option in OPTIONS:
        value = option.choices[0] if option.choices else samples.get(option.metavar, "x")
        device = {"gk_device": "http://x"} if option.name.startswith("device-") else {}
        settings_from({**device, option.ini: [value] if option.kind in ("list", "lines") else value})


@pytest.mark.parametrize("said", [[""], [","], [" , "]])
def test_a_list_of_boards_without_a_board_is_refused(said: list[str]) -> None:
    with pytest.raises(OptionError, match="--gk-board: no board is named"):
        settings_from({"gk_board": said})

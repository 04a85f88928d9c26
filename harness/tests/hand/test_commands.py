"""The commands for a machine by hand: how they are read, and what each does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.build.one_program import Made
from harness.errors import OptionError, QemuFailed, WaitTimeout
from harness.hand import hand
from harness.hand.commands import COMMANDS, carry_out, parse, split, table
from harness.tests.hand.played import Played, played
from harness.tests.traces import wait_until


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Played]:
    with played(tmp_path) as one:
        yield one


def do(made: Played, line: str, folder: Path = Path("/here")) -> str:
    return carry_out(made.hand, parse(split(line), folder))


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ("", "no command is given", "commands: help, where"),
        ("frobnicate", "there is no command 'frobnicate'", "commands: help, where"),
        ("chekpoint a", "there is no command 'chekpoint a'", "did you mean: checkpoint NAME"),
        ("power", "there is no command 'power'", "did you mean: power off or power on"),
        ("power sideways", "there is no command 'power sideways'", "power off or power on"),
        ("rewind", "'rewind' has too few words", "type: rewind NAME"),
        ("reboot now", "'reboot now' has too many words", "type: reboot"),
        ("rewind ''", "rewind: NAME is empty", "type: rewind NAME"),
        ("rewind 'a", "this line cannot be read: No closing quotation", "quotation mark"),
        ("screenshot ~nobody-of-that-name/a", "FILE ~nobody-of-that-name/a: ", "write the path out"),
    ],
)
def test_a_line_that_is_no_command_says_what_is(line: str, what: str, hint: str) -> None:
    with pytest.raises(OptionError) as raised:
        parse(split(line), Path("/here"))
    assert what in raised.value.what
    assert hint in raised.value.hint


def test_files_begin_where_the_command_was_typed_and_names_stay_names(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert parse(["screenshot", "a.png"], tmp_path).arguments == (str(tmp_path / "a.png"),)
    assert parse(["update", "there"], tmp_path).arguments == (str(tmp_path / "there"),)
    assert parse(["update", "./new"], tmp_path).arguments == (str(tmp_path / "new"),)
    # gok knows instances by name.
    assert parse(["update", "hello"], tmp_path).arguments == ("hello",)
    assert parse(["checkpoint", "a/b"], tmp_path).words == ["checkpoint", "a/b"]


def test_the_help_has_every_command(made: Played) -> None:
    lines = do(made, "help").splitlines()
    assert lines == table().splitlines()
    assert [line.split("  ")[0] for line in lines] == [one.usage for one in COMMANDS]


def test_where_says_all_but_the_password(made: Played) -> None:
    said = do(made, "where")
    assert "web interface: http://127.0.0.1:40080/  user gokrazy, password: /" in said
    assert "pw.txt" in said
    assert "secret" not in said
    assert "ssh -p 40022 root@127.0.0.1" in said
    assert "port 80/tcp: 127.0.0.1:40001" in said


def test_reboot_wait_and_ssh_ask_the_appliance(made: Played) -> None:
    assert do(made, "reboot").startswith("it rebooted, and is ready after ")
    assert do(made, "wait") == "it is ready"
    assert "ssh -p 40022" in do(made, "ssh")
    assert made.appliance.asked == ["reboot", "wait_until_ready", "start_breakglass"]


def test_what_the_image_lacks_is_said_and_not_tried(made: Played) -> None:
    made.appliance.lacks = {"http": "not applicable: it listens nowhere"}
    with pytest.raises(OptionError, match="it listens nowhere"):
        do(made, "reboot")
    assert made.appliance.asked == []


def test_the_power_is_cut_and_comes_back_and_who_waits_waits_no_longer(made: Played) -> None:
    errors = []

    def wait() -> None:
        try:
            made.appliance.console.wait_for_line("never", timeout=60)
        except OptionError as error:
            errors.append(error.what)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert "'power on'" in do(made, "power off")
    waiting.join(10)
    assert errors == ["the power was cut by hand"]
    assert made.hand.goes_on, "it is off by command, and can be switched on again"
    assert made.hand.look(crash=True)
    for line in ("power off", "reboot", "link down", "screenshot a.png", "wait", "update x"):
        with pytest.raises(OptionError, match="the machine is off"):
            do(made, line)
    assert "the machine is off" in do(made, "where")
    assert "http://127.0.0.1:40080/" in do(made, "power on")
    with pytest.raises(OptionError, match="it is on already"):
        do(made, "power on")
    assert made.appliance.asked == ["cut_power", "power_on", "wait_until_ready"]


def test_one_that_switches_itself_off_does_not_go_on(made: Played) -> None:
    made.appliance.power.is_on = False
    assert not made.hand.goes_on


def test_the_power_is_cut_while_another_command_waits(made: Played) -> None:
    made.appliance.hold.clear()
    rebooting = threading.Thread(target=do, args=(made, "reboot"))
    rebooting.start()
    assert wait_until(10, lambda: made.appliance.asked == ["reboot"])
    second = threading.Thread(target=do, args=(made, "checkpoint a"))
    second.start()
    do(made, "power off")
    assert made.appliance.asked == ["reboot", "cut_power"], "the checkpoint waits for its turn"
    made.appliance.power.is_on = True
    made.appliance.hold.set()
    rebooting.join(10)
    second.join(10)
    assert made.appliance.asked[-1] == "checkpoint a"


def test_checkpoints_remember_the_other_slot(made: Played, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="not known what is in the inactive slot"):
        do(made, "flip")
    do(made, "checkpoint before")
    assert "two runs" in do(made, "update two")
    do(made, "flip")
    do(made, "flip")
    assert made.appliance.asked[-2:] == ["flip d1", "flip of two"]
    do(made, "rewind before")
    with pytest.raises(OptionError, match="not known"):
        do(made, "flip")


def test_a_board_that_cannot_be_kept_says_which_can(made: Played) -> None:
    made.appliance.board.can_checkpoint = False
    with pytest.raises(OptionError, match="cannot keep all of the board virt") as raised:
        do(made, "checkpoint a")
    assert "pc-bios" in raised.value.hint
    assert made.appliance.asked == []


def test_a_machine_that_goes_off_while_it_is_waited_for_is_off(made: Played) -> None:
    made.appliance.hold.clear()
    waiting = threading.Thread(target=do, args=(made, "wait"))
    waiting.start()
    assert wait_until(10, lambda: made.appliance.asked == ["wait_until_ready"])
    assert made.hand.goes_on
    made.appliance.power.is_on = False
    assert wait_until(10, lambda: not made.hand.goes_on)
    made.appliance.hold.set()
    waiting.join(10)


def test_an_update_builds_and_one_to_what_runs_does_nothing(made: Played) -> None:
    said = do(made, "update two")
    assert "image made in" in said
    assert do(made, "update two") == "nothing to do: the image of two runs already"
    assert made.lab.images.made == ["two", "two"]
    assert made.appliance.asked == ["update of two"]
    with pytest.raises(OptionError, match="does not compile"):
        do(made, "update broken")


def test_a_program_is_built_for_the_instance_that_runs_and_runs_in_its_service(
    made: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[str, str]] = []

    def build(instance: str, package: str, work: Path) -> Made:
        built.append((instance, package))
        return Made(work / "visitor", "/user/visitor")

    monkeypatch.setattr(hand, "build_one", build)
    monkeypatch.setattr(hand, "load_instance", lambda source: f"the instance {source}")
    made.lab.images.source = "mine"
    said = do(made, "run example.test/cmd/visitor")
    assert said.startswith("visitor runs in place of /user/visitor: built in ")
    assert "gone after the next boot" in said
    assert built == [("the instance mine", "example.test/cmd/visitor")]
    assert made.appliance.asked == ["run_instead /user/visitor visitor"]


def test_a_finished_image_does_not_say_how_its_programs_are_built(made: Played, tmp_path: Path) -> None:
    (tmp_path / "disk.img").touch()
    for source in ("", str(tmp_path / "disk.img")):
        made.lab.images.source = source
        with pytest.raises(OptionError, match="runs a finished image"):
            do(made, "run visitor")
    assert made.appliance.asked == []


def test_a_package_is_a_folder_if_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert parse(["run", "there"], tmp_path).arguments == (str(tmp_path / "there"),)
    assert parse(["run", "."], tmp_path).arguments == (str(tmp_path),)
    assert parse(["run", "example.test/cmd/visitor"], tmp_path).arguments == ("example.test/cmd/visitor",)


def test_cable_and_screen_are_qemu_s(made: Played) -> None:
    do(made, "link down")
    do(made, "link up")
    do(made, "screenshot a.png")
    do(made, "screenshot a.ppm")
    assert made.appliance.power.asked == [
        ("set_link", {"name": "nic0", "up": False}),
        ("set_link", {"name": "nic0", "up": True}),
        ("screendump", {"filename": "/here/a.png", "format": "png"}),
        ("screendump", {"filename": "/here/a.ppm", "format": "ppm"}),
    ]
    made.appliance.power.refuses = QemuFailed("refused", evidence="There is no console")
    with pytest.raises(OptionError, match="no picture of the board virt") as raised:
        do(made, "screenshot a.png")
    assert raised.value.evidence == "There is no console"


def test_what_fails_on_the_device_is_said_as_it_was_raised(made: Played) -> None:
    made.appliance.fails = {"reboot": WaitTimeout("waited 3 s for nothing")}
    with pytest.raises(WaitTimeout, match="waited 3 s"):
        do(made, "reboot")
    assert do(made, "wait") == "it is ready", "the next one has its turn"


def test_quit_rings(made: Played) -> None:
    assert do(made, "quit") == "the machine ends"
    assert made.bell.rung

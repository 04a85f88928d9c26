"""Breakglass: the way in for emergencies is shut until it is opened, and opens for one key only."""

import json

import pytest

from harness.errors import AuthenticationRefused, DeviceUnreachable

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_any_firmware]
needs_breakglass = pytest.mark.gk_needs("breakglass")
needs_a_shell = pytest.mark.gk_needs("breakglass-shell")


@pytest.mark.gk_shows(
    "interactive access has to be started first, and lasts until the next reboot",
    "there is no login: breakglass is the way in for emergencies",
)
@needs_breakglass
def test_breakglass_is_down_until_it_is_started(appliance):
    # It is started at boot like every service, and leaves at once with status 125.
    appliance.wait_until_stopped("breakglass")
    with pytest.raises(DeviceUnreachable):
        appliance.connect_breakglass()
    with appliance.breakglass() as rescue:
        rescue.put_bytes(b"rescued", "/tmp/rescued")
        assert rescue.get_bytes("/tmp/rescued") == b"rescued"
    assert not appliance.service("breakglass").stopped


@pytest.mark.gk_shows("breakglass opens SSH for the owner's key only")
@needs_breakglass
def test_a_foreign_key_and_a_password_are_refused(appliance, tmp_path):
    with appliance.breakglass():
        with pytest.raises(AuthenticationRefused):
            appliance.connect_breakglass(key=appliance.foreign_key(tmp_path))
        with pytest.raises(AuthenticationRefused):
            appliance.connect_breakglass(password=appliance.image.password or "gokrazy")


@needs_a_shell
def test_commands_report_their_output_and_status(appliance):
    with appliance.breakglass() as rescue:
        result = rescue.run("echo out; echo err >&2; exit 7", check=False)
        assert (result.stdout, result.stderr, result.status) == (b"out\n", b"err\n", 7)


@needs_breakglass
def test_files_go_both_ways_unharmed(appliance):
    content = bytes(range(256)) * 4096
    with appliance.breakglass() as rescue:
        rescue.put_bytes(content, "/tmp/there-and-back")
        assert rescue.get_bytes("/tmp/there-and-back") == content


@pytest.mark.gk_shows("a static program can be copied to it and run there")
@needs_breakglass
def test_a_binary_can_be_copied_and_run(appliance, probe):
    with appliance.breakglass() as rescue:
        facts = json.loads(rescue.run_binary(probe).text)
    assert appliance.image.kernel.is_release(facts["uname"]["release"])
    assert "root=" in facts["cmdline"]


@pytest.mark.gk_shows("there is no login: breakglass is the way in for emergencies")
@needs_a_shell
def test_an_interactive_shell_answers(appliance):
    with appliance.breakglass() as rescue, rescue.shell() as shell:
        assert shell.command("echo $((6 * 7))", appliance.budget.service) == (0, "42\n")
        assert shell.command("tty", appliance.budget.service)[1].startswith("/dev/pts/")


@pytest.mark.gk_shows("interactive access has to be started first, and lasts until the next reboot")
@pytest.mark.gk_reboots
@needs_a_shell
def test_breakglass_is_gone_after_a_reboot(appliance):
    with appliance.breakglass() as rescue:
        rescue.put_bytes(b"x", "/tmp/gone")
    appliance.reboot()
    appliance.wait_until_stopped("breakglass")
    with pytest.raises(DeviceUnreachable):
        appliance.connect_breakglass()
    with appliance.breakglass() as rescue:
        assert rescue.run("test -e /tmp/gone", check=False).status != 0


@pytest.mark.gk_needs("serial-shell")
def test_the_serial_console_has_a_shell(appliance):
    status, output = appliance.shell.run("cat /etc/hostname", timeout=appliance.budget.service)
    assert (status, output.strip()) == (0, appliance.image.hostname)

"""Run: a program built here runs on the device at once, without an update, and is gone after a reboot."""

import pytest

from harness.errors import OptionError, RequestRefused

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_needs("http", "update")]

OWN = "gokrazy.test/programs/cmd/hello"
GUEST = "/user/gokharness-visitor"
"""Where it runs on other people's devices: beside their services, none of which is touched."""


@pytest.mark.gk_shows("a program can be run on the device without an update (gok run)")
@pytest.mark.gk_board("virt")
@pytest.mark.gk_reboots
def test_a_program_built_here_runs_in_place_of_a_service_until_the_next_boot(appliance, own_program):
    run_until_the_next_boot(appliance, own_program)


@pytest.mark.gk_board("pc-bios", "raspi-virt")
@pytest.mark.gk_tier("nightly")
@pytest.mark.gk_reboots
def test_a_program_built_here_runs_there_too_until_the_next_boot(appliance, own_program):
    """A PC boots its next kernel by kexec."""
    run_until_the_next_boot(appliance, own_program)


def run_until_the_next_boot(appliance, own_program):
    """Run it twice in place of a service, then reboot."""
    visitor = own_program("visitor", appliance.image.arch)
    own = next((one.path for one in appliance.image.services if one.package == OWN), None)
    before = appliance.service(own) if own else None
    root = appliance.slot if appliance.can("slot") else None
    runs = run_instead(appliance, own or GUEST, visitor, "-seen=1")
    assert not runs.stopped
    assert runs.diverted.endswith("/visitor")

    with appliance.log_stream(runs.path, "stdout") as log:
        said = log.wait_for(r"visitor: runs as (\S+) with \[(.*)\], pid (\d+)", timeout=appliance.budget.service)
        assert said.group(1) == runs.diverted
        assert said.group(2).split()[-1] == '"-seen=1"'
        assert int(said.group(3)) == runs.pid
        # Its log streams: what it says now arrives now.
        log.wait_for(r"visitor: second 2$", timeout=appliance.budget.service)

    # The same again is what somebody does who has changed the program: it replaces the one before.
    again = appliance.run_instead(runs.path, visitor, "-seen=2")
    assert again.pid != runs.pid
    with appliance.log_stream(runs.path, "stdout") as log:
        log.wait_for(r"visitor: leaves on terminated", timeout=appliance.budget.service)
        said = log.wait_for(r"visitor: runs as \S+ with \[(.*)\]", timeout=appliance.budget.service)
        assert said.group(1).split().count('"-seen=1"') == 0, "the flags of the run before were kept"

    status = appliance.reboot()
    assert appliance.runs(appliance.image), "it was no update"
    if root:
        assert appliance.slot == root
    assert all(not one.diverted for one in status.services)
    if before is None:
        assert GUEST not in {one.path for one in status.services}
        return
    # What the image has there runs again, with the flags that it had.
    after = appliance.wait_for_service(own, lambda one: not one.stopped and one.pid > 0, "running")
    assert after.args == before.args


def run_instead(appliance, service, program, *flags):
    """Run it, or skip where the device is somebody else's and older than ``gok run``."""
    try:
        return appliance.run_instead(service, program, *flags)
    except RequestRefused as error:
        if service == GUEST and error.status == 404:
            pytest.skip("not applicable: gokrazy on this device is older than gok run")
        raise


@pytest.mark.gk_board("virt")
def test_a_program_for_another_architecture_is_refused_before_it_is_sent(appliance, own_program):
    foreign = own_program("visitor", "amd64" if appliance.image.arch != "amd64" else "arm64")
    before = appliance.status()
    with pytest.raises(OptionError, match=f"it is for {'amd64' if appliance.image.arch != 'amd64' else 'arm64'}"):
        appliance.run_instead(GUEST, foreign)
    assert appliance.status().services == before.services

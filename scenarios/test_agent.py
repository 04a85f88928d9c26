"""QEMU's guest agent: a program of the device that answers its host."""

import pytest

from harness.errors import CommandFailed

# SQLite, which is in the same image, takes a minute to compile.
pytestmark = [
    pytest.mark.gk_tier("nightly"),
    pytest.mark.gk_board("virt", "pc-bios"),
    pytest.mark.gk_image("field"),
    pytest.mark.gk_needs("agent"),
]


@pytest.mark.gk_shows("a guest agent answers the host of a virtual machine")
def test_it_answers_knows_its_address_and_refuses_what_it_cannot(appliance):
    with appliance.agent() as agent:
        agent.ping()
        assert "10.0.2.15" in {address for all_of_it in agent.addresses().values() for address in all_of_it}
        assert "guest-exec" in agent.commands()
        with pytest.raises(CommandFailed, match="guest-nonsense"):
            agent.ask("guest-nonsense")


def test_it_runs_a_program_and_says_how_it_ended(appliance):
    with appliance.agent() as agent:
        backup = ("/user/links", "-sqlitedb=/perm/home/links/data.db", "-backup=/tmp/by-agent.db")
        assert agent.run(*backup).status == 0
        again = agent.run(*backup, check=False)
        assert again.status != 0, "the same backup is made twice"
        assert again.out or again.err


@pytest.mark.gk_needs("breakglass-shell", "perm")
def test_nothing_is_written_while_it_is_frozen(appliance):
    with appliance.agent() as agent, appliance.breakglass() as rescue:
        rescue.run("rm -f /perm/late; sync")
        with agent.frozen() as count:
            assert count >= 1
            assert agent.is_frozen()
            rescue.run("(echo late > /perm/late) >/dev/null 2>&1 </dev/null &")
            assert rescue.run("ls /perm/late", check=False).status != 0
        assert not agent.is_frozen()
        rescue.run("until test -s /perm/late; do usleep 50000; done", timeout=appliance.budget.service)


def test_it_answers_after_a_reboot_and_switches_the_device_off(appliance):
    with appliance.agent() as agent:
        agent.ping()
        appliance.reboot()
        agent.ping()
        agent.shutdown()
        assert appliance.power.wait_off(appliance.budget.power_off), "it did not switch itself off"

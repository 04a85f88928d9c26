"""Crash restart: what falls is put up again, what left on purpose stays away, and nothing else suffers."""

import pytest

from harness.faults import kernel

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_image("crasher"), pytest.mark.gk_any_firmware]


@pytest.mark.gk_shows("a service that crashes is started again by itself")
def test_a_program_that_panics_is_started_again(appliance):
    with appliance.log_stream("panic-once", "stderr") as log:
        log.wait_for(r"panic: ", timeout=appliance.budget.service)
        log.wait_for(r"exit status 2", timeout=appliance.budget.service)
    with appliance.log_stream("panic-once", "stdout") as log:
        log.wait_for(r"panic-once: start 2, staying up", timeout=appliance.budget.service)
    service = appliance.service("panic-once")
    assert not service.stopped
    assert service.pid > 0
    assert appliance.attempts("panic-once") == 2


def test_a_program_that_leaves_with_0_or_125_stays_down(appliance):
    for name in ("exit-0", "exit-125"):
        appliance.wait_until_stopped(name)
    # Several rounds of the crash loop beside them are time enough for an unwanted restart.
    wait_for_rounds(appliance, 3)
    for name in ("exit-0", "exit-125"):
        assert appliance.service(name).stopped
        assert appliance.attempts(name) == 1


def test_a_crash_loop_starves_neither_the_others_nor_the_web_interface(appliance, hello):
    appliance.wait_until_settled(besides=("panic-forever",))
    others = ("dhcp", "randomd", "killed", "hello")
    before = {name: appliance.service(name).pid for name in others}
    assert all(before.values())
    wait_for_rounds(appliance, 5)
    assert {name: appliance.service(name).pid for name in others} == before
    assert "crasher" in hello(appliance, "/")


def wait_for_rounds(appliance, count):
    """Wait for this many more starts of the program that panics for ever."""
    start = appliance.attempts("panic-forever")
    with appliance.log_stream("panic-forever") as log:
        for number in range(start, start + count):
            log.wait_for(rf"gokrazy: attempt {number}, starting", timeout=appliance.budget.service)
            assert appliance.status().hostname == appliance.image.hostname


@pytest.mark.gk_shows("a service that crashes is started again by itself")
@pytest.mark.gk_needs("breakglass-shell")
def test_a_program_killed_by_a_signal_is_started_again(appliance):
    before = appliance.service("killed")
    with appliance.breakglass() as rescue:
        rescue.run(f"kill -9 {before.pid}")
    after = appliance.wait_until_runs_anew(before)
    assert after.started > before.started
    with appliance.log_stream("killed") as log:
        log.wait_for(r"signal: killed", timeout=appliance.budget.service)


@pytest.mark.gk_shows("the web interface stops, starts and restarts processes")
@pytest.mark.gk_needs("breakglass-shell")
def test_stop_start_and_restart_by_http(appliance):
    before = appliance.service("killed")
    appliance.stop("killed")
    appliance.wait_until_stopped("killed")
    with appliance.breakglass() as rescue:
        rescue.run(f"while test -d /proc/{before.pid}; do usleep 50000; done", timeout=appliance.budget.service)
    appliance.start("killed")
    started = appliance.wait_until_runs_anew(before)
    appliance.restart("killed")
    appliance.wait_until_runs_anew(started)


@pytest.mark.gk_reboots
@pytest.mark.gk_needs("breakglass-shell", "console", "perm")
def test_a_kernel_panic_reboots_after_its_time_into_the_same_slot_with_its_data(appliance, leave_note):
    slot = appliance.slot
    check_note = leave_note(appliance, b"before the panic")
    with appliance.breakglass() as rescue:
        rescue.run("sync")
    before = appliance.console.mark()
    fall = kernel.panic(appliance)
    assert "sysrq triggered crash" in fall.finding.what
    # panic=10: ten seconds by a clock that the kernel calibrated on an emulated timer, 7.8 to 11 s by ours. It may
    # say so seconds after all else: with UEFI it first writes its last words into the firmware's flash memory.
    appliance.console.wait_for_line("Rebooting in 10 seconds", since=before, timeout=appliance.budget.service)
    assert fall.seconds > 5
    appliance.wait_until_ready()
    assert appliance.slot == slot
    check_note()

"""Crash restart: what falls is put up again, what left on purpose stays away, and nothing else suffers."""

import pytest

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_image("crasher")]


def test_a_program_that_panics_is_started_again(appliance):
    log = appliance.log("panic-once")
    log.wait_for(r"panic: ")
    log.wait_for(r"exit status 2")
    log.wait_for(r"panic-once: start 2, staying up")
    service = appliance.service("panic-once")
    assert not service.stopped
    assert service.pid > 0
    assert appliance.attempts("panic-once") == 2


def test_a_program_that_leaves_with_0_or_125_stays_down(appliance):
    for name in ("exit-0", "exit-125"):
        appliance.wait_for_service(name, lambda service: service.stopped, "stopped")
    # Several rounds of the crash loop beside them are time enough for an unwanted restart.
    with appliance.log_stream("panic-forever") as log:
        for _ in range(3):
            log.wait_for(r"gokrazy: attempt \d+")
    for name in ("exit-0", "exit-125"):
        assert appliance.service(name).stopped
        assert appliance.attempts(name) == 1


def test_a_crash_loop_starves_neither_the_others_nor_the_web_interface(appliance):
    others = [name for name in ("dhcp", "randomd", "killed", "hang")]
    before = {name: appliance.service(name).pid for name in others}
    first = appliance.service("panic-forever")
    with appliance.log_stream("panic-forever") as log:
        for _ in range(5):
            log.wait_for(r"gokrazy: attempt \d+")
            assert appliance.status().hostname == appliance.image.hostname
    assert {name: appliance.service(name).pid for name in others} == before
    appliance.wait_for_service(
        "panic-forever", lambda service: service.pid not in (0, first.pid), "running with a new pid"
    )


@pytest.mark.gk_needs("breakglass")
def test_a_program_killed_by_a_signal_is_started_again(appliance):
    before = appliance.service("killed")
    with appliance.breakglass() as rescue:
        rescue.run(f"kill -9 {before.pid}")
    after = appliance.wait_for_service(
        "killed", lambda service: not service.stopped and service.pid not in (0, before.pid), "running again"
    )
    assert after.started > before.started
    appliance.log("killed").wait_for(r"signal: killed")


def test_stop_start_and_restart_by_http(appliance):
    before = appliance.service("killed")
    appliance.stop("killed")
    assert appliance.wait_for_service("killed", lambda service: service.stopped, "stopped").pid == 0
    appliance.start("killed")
    started = appliance.wait_for_service("killed", lambda service: service.pid > 0, "running")
    assert started.pid != before.pid
    appliance.restart("killed")
    again = appliance.wait_for_service(
        "killed", lambda service: service.pid not in (0, started.pid), "running with a new pid"
    )
    assert not again.stopped


@pytest.mark.gk_needs("breakglass", "console")
def test_a_kernel_panic_reboots_after_its_time_into_the_same_slot_with_its_data(appliance):
    slot = appliance.slot
    with appliance.breakglass() as rescue:
        rescue.put_bytes(b"before the panic", "/perm/gokharness-note")
        rescue.run("sync")
    with appliance.console.expect_crash() as crash:
        appliance.start("panic-kernel")
        crash.wait("kernel panic", timeout=appliance.budget.service)
    assert "sysrq triggered crash" in crash.error.what
    appliance.wait_for_next_boot()
    assert 9 <= crash.seconds_until_reboot <= 10 + appliance.budget.kernel
    assert appliance.slot == slot
    with appliance.breakglass() as rescue:
        assert rescue.get_bytes("/perm/gokharness-note") == b"before the panic"

"""Random numbers: entropy is carried from one start to the next, and no two starts are alike."""

import pytest

SEED = "random.seed"
SIZE = 512
"""What gokrazy's cmd/randomd keeps, in bytes."""
RANDOMD = "/gokrazy/randomd"

pytestmark = [
    pytest.mark.gk_tier("ci"),
    pytest.mark.gk_any_firmware,
    pytest.mark.gk_reboots,
    pytest.mark.gk_needs("http", "perm-files", "breakglass-shell", "disk"),
]


def runs_randomd(appliance):
    return any(one.path == RANDOMD and not one.stopped for one in appliance.status().services)


def seed_of(appliance):
    with appliance.breakglass() as rescue:
        return rescue.get_bytes(f"/perm/{SEED}")


def drawn(appliance):
    """What the kernel's random generator gave for this start, and gives now."""
    with appliance.breakglass() as rescue:
        boot = rescue.run("cat /proc/sys/kernel/random/boot_id").text
        return boot, rescue.run("cat /proc/sys/kernel/random/uuid").text


@pytest.mark.gk_shows("randomness is saved, and used at the next boot")
def test_a_seed_is_saved_at_shutdown_and_used_once_at_the_next_start(appliance):
    if not runs_randomd(appliance):
        pytest.skip("not applicable: the device runs no randomd of gokrazy's")
    before = seed_of(appliance)
    appliance.power_off()
    saved = appliance.read_perm(SEED)
    assert saved is not None, "there is no seed in /perm after a shutdown"
    assert len(saved) == SIZE
    assert saved != before, "no seed was saved at shutdown: it is the one of the start"
    appliance.power_on()
    appliance.wait_until_ready()
    with appliance.log_stream(RANDOMD) as log:
        log.wait_for("seeding RNG from /perm/random.seed", appliance.budget.service)
    assert seed_of(appliance) not in (before, saved), "a seed is to be used once only"


@pytest.mark.gk_tier("nightly")
def test_two_cold_boots_of_the_same_disk_without_a_seed_differ(appliance_off):
    seen = []
    for _ in range(2):
        appliance_off.power_on()
        appliance_off.wait_until_ready()
        seen.append(drawn(appliance_off))
        with appliance_off.breakglass() as rescue:
            rescue.run(f"rm -f /perm/{SEED} && sync")
        # Nothing is saved by who loses power.
        appliance_off.cut_power()
        assert appliance_off.read_perm(SEED) is None
    (first_boot, first), (second_boot, second) = seen
    assert first_boot != second_boot, "two boots drew the same random numbers"
    assert first != second, "two boots drew the same random numbers"

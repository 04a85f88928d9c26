"""Automatic updates: a device asks an update server what it is to run, installs that, and then stays."""

import zipfile

import pytest

pytestmark = [
    pytest.mark.gk_tier("nightly"),
    pytest.mark.gk_board("virt"),
    pytest.mark.gk_network("open"),
    pytest.mark.gk_needs("http", "update", "slot"),
]

SERVICE = "/user/gokharness-selfupdate"


def run_client(appliance, program, server):
    """Have the client check once, and then not again in this test."""
    return appliance.run_instead(SERVICE, program, f"-gus_server={server.url}", "-check_frequency=1h")


@pytest.fixture
def client(appliance, own_program):
    """The small program that takes the steps of github.com/gokrazy/selfupdate."""
    return own_program("selfupdate", appliance.image.arch)


@pytest.mark.gk_shows("it updates itself from an update server")
@pytest.mark.gk_reboots
@pytest.mark.gk_uploads
def test_a_device_updates_itself_and_then_stays(appliance, next_image, client, release):
    archive, wanted = release
    before, hardly = appliance.slot, appliance.budget.service
    first = appliance.status().sbom_hash

    with appliance.update_server() as server:
        server.offer(archive, wanted)

        def updates_itself(_):
            run_client(appliance, client, server)
            with appliance.log_stream(SERVICE, "stdout") as log:
                log.wait_for(rf"selfupdate: runs {first}, wanted is {wanted}", timeout=hardly)
                log.wait_for(r"selfupdate: switched, rebooting", timeout=appliance.budget.upload)

        appliance.update_with(next_image, updates_itself)
        assert appliance.slot != before
        status = appliance.status()
        assert status.build_timestamp == next_image.build
        assert status.sbom_hash == wanted
        assert server.asked("attempt")[0].body["sbom_hash"] == wanted

        # It does not loop: what it asks next, it has.
        run_client(appliance, client, server)
        with appliance.log_stream(SERVICE, "stdout") as log:
            log.wait_for(rf"selfupdate: runs what is wanted: {wanted}", timeout=hardly)
        assert len(server.asked("update")) == 2
        assert len(server.asked("attempt")) == len(server.asked("download")) == 1


def test_a_damaged_archive_is_refused_and_not_tried_again_and_again(appliance, client, release):
    archive, wanted = release
    before = appliance.slot
    damage(archive)
    with appliance.update_server() as server:
        server.offer(archive, wanted)
        run_client(appliance, client, server)
        with appliance.log_stream(SERVICE, "stdout") as log:
            log.wait_for(
                r"selfupdate: nothing was switched: the archive is damaged: root\.img",
                timeout=appliance.budget.upload,
            )
        # gokrazy would have started it three times in this time, had it ended.
        started = appliance.service(SERVICE).started
        appliance.wait_until_settled(calm=4)
        assert appliance.service(SERVICE).started == started
        assert len(server.asked("download")) == 1
    assert appliance.runs(appliance.image)
    if appliance.applies("which slot the boot files name", "disk"):
        appliance.cut_power()
        assert appliance.read_boot_files().slots == {before}


def damage(archive):
    """Change one byte in the middle of the root file system; the list of what the archive has stays as it is."""
    with zipfile.ZipFile(archive) as opened:
        root = opened.getinfo("root.img")
        at = root.header_offset + root.compress_size // 2
    with archive.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0xFF]))


def test_gokrazys_heartbeat_says_what_the_device_runs(appliance, heartbeat):
    with appliance.update_server() as server:
        appliance.run_instead("heartbeat", heartbeat, f"-gus_server={server.url}", "-frequency=1s")
        said = server.wait_for("heartbeat", timeout=appliance.budget.service, count=2).body
    status = appliance.status()
    assert (said["hostname"], said["sbom_hash"]) == (status.hostname, status.sbom_hash)
    assert said["machine_id"]
    assert said["human_readable"]["kernel"] == status.kernel
    assert said["sbom"]["go_packages"]

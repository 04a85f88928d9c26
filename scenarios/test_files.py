"""The file tree: what gokrazy and the instance put there, and nothing else; who mounts, who listens."""

import json

import pytest

from harness.image.breakglass_flags import port_of
from harness.image.gokrazys_root import OWN_FOLDERS, oddities
from harness.image.layout import root_in_use
from harness.image.squashfs import SquashFs

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_any_firmware]

MOUNTED = {
    "/tmp": "tmpfs",
    "/dev": "devtmpfs",
    "/dev/pts": "devpts",
    "/dev/shm": "tmpfs",
    "/run": "tmpfs",
    "/proc": "proc",
    "/sys": "sysfs",
    "/sys/fs/cgroup": "cgroup2",
}
"""What gokrazy's init mounts wherever it runs (its mount.go)."""
WITHIN = ("/tmp/", "/dev/", "/run/", "/proc/", "/sys/", "/perm/", "/var/", "/mnt/")
"""Where programs of an instance may mount what they like: the root file system is not there."""
SYSTEM = "github.com/gokrazy/gokrazy/cmd/"


@pytest.fixture
def root(appliance):
    """The root file system in the image that the appliance runs."""
    image = appliance.image
    return SquashFs(image.path, root_in_use(image.layout, image.cmdline).offset)


@pytest.mark.gk_needs("image")
def test_the_root_file_system_holds_what_gokrazy_and_the_instance_bring_and_nothing_else(appliance, root):
    if appliance.image.extra_files is None:
        what = "whether the root file system holds nothing else"
        appliance.left_out[what] = "a finished image does not say which extra files it was given"
    assert oddities(appliance.image, root) == []
    if appliance.can("http") and appliance.image.sbom_hash:
        assert appliance.status().sbom_hash == appliance.image.sbom_hash


@pytest.mark.gk_needs("image", "breakglass")
def test_the_device_has_the_files_of_its_image_with_their_modes_and_no_others(appliance, root):
    def facts(one):
        mode = one.target or f"{one.mode:04o}"
        return one.kind, mode, one.uid, one.gid, one.size if one.kind == "file" else 0

    def seen(entries):
        within = tuple(f"{folder}/" for folder in OWN_FOLDERS)
        return {one.path: facts(one) for one in entries if f"{one.path}/".startswith(within)}

    there, packed = seen(appliance.files(*OWN_FOLDERS)), seen(root.entries())
    assert sorted(set(there) - set(packed)) == []
    assert sorted(set(packed) - set(there)) == []
    assert {path: (there[path], packed[path]) for path in packed if there[path] != packed[path]} == {}


@pytest.mark.gk_needs("image", "breakglass")
def test_nothing_is_mounted_writable_but_what_is_meant(appliance, root):
    mounts = appliance.mounts()
    kinds = {one.target: one.kind for one in mounts}
    (first,) = [one for one in mounts if one.target == "/" and one.kind != "rootfs"]
    assert (first.kind, first.writable) == ("squashfs", False)
    assert {target: kinds.get(target) for target in MOUNTED} == MOUNTED
    if appliance.can("perm"):
        assert "/perm" in kinds
    meant = {*MOUNTED, "/perm"}
    if appliance.image.has_other_shell:
        # breakglass puts the names of busybox's commands there.
        meant.add("/bin")
    if any(one.path == "/etc/gokrazy/mountdevices.json" for one in root.entries()):
        devices = json.loads(root.read("/etc/gokrazy/mountdevices.json")) or []
        meant |= {one["Target"].rstrip("/") for one in devices}
    writable = [one for one in mounts if one.writable and one.target != "/"]
    assert [str(one) for one in writable if one.target not in meant and not one.target.startswith(WITHIN)] == []


@pytest.mark.gk_needs("breakglass")
def test_nobody_listens_but_the_web_interface_breakglass_and_programs_of_the_instance(appliance):
    image = appliance.image
    web = (image.http_port, image.https_port)

    def is_odd(one):
        service = image.service(one.service) if one.service else None
        if one.pid == 1:
            return one.protocol == "tcp" and not (one.is_private and one.port in web)
        if service is None:
            return one.program not in (image.extra_files or ())
        if service.path == image.breakglass.path:
            return one.protocol == "tcp" and not (one.is_private and one.port == way_in)
        # Its clients ask from ports of their own.
        return one.protocol == "tcp" and service.package.startswith(SYSTEM)

    appliance.wait_until_settled(besides=("panic-forever",))
    listening = appliance.listening()
    way_in = port_of(appliance.service("breakglass").args[1:], image.breakglass.port)
    assert image.http_port in {one.port for one in listening if one.pid == 1}
    assert way_in in {one.port for one in listening if one.service == image.breakglass.path}
    odd = {str(one) for one in listening if is_odd(one)}
    if odd:
        # A process may have ended while it was looked for: who is odd, is so twice.
        odd &= {str(one) for one in appliance.listening() if is_odd(one)}
    assert odd == set()

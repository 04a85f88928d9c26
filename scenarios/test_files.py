"""The file tree: what gokrazy and the instance put there, and nothing else. Who mounts, and who listens."""

import pytest

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_any_firmware]

FOLDERS = ("/etc", "/gokrazy", "/user")
MOUNTED = {"/tmp": "tmpfs", "/run": "tmpfs", "/dev": "devtmpfs", "/proc": "proc", "/sys": "sysfs"}


@pytest.mark.gk_shows(
    "the documented files are the entire system", "there is no shell and no SSH server by default"
)
@pytest.mark.gk_needs("image")
def test_the_root_file_system_holds_what_gokrazy_and_the_instance_bring_and_nothing_else(appliance):
    if appliance.image.extra_files is None:
        what = "whether the root file system holds nothing else"
        appliance.left_out[what] = "a finished image does not say which extra files it was given"
    assert not (odd := appliance.odd_files()), "; ".join(odd)
    if appliance.can("http") and appliance.image.sbom_hash:
        assert appliance.status().sbom_hash == appliance.image.sbom_hash


@pytest.mark.gk_needs("image", "breakglass")
def test_the_device_has_the_files_of_its_image_with_their_modes_and_no_others(appliance):
    def facts(one):
        # A link has the mode that the kernel gives it, and a folder the size.
        return one.kind, one.target or f"{one.mode:04o}", one.uid, one.gid, one.size if one.kind == "file" else 0

    packed = {one.path: facts(one) for one in appliance.image_files(*FOLDERS)}
    there = {one.path: facts(one) for one in appliance.files(*FOLDERS)}
    other = [path for path in sorted({*packed, *there}) if packed.get(path) != there.get(path)]
    seen = [f"{one} is {there.get(one, 'none')}, in the image {packed.get(one, 'none')}" for one in other]
    assert not seen, "; ".join(seen)


@pytest.mark.gk_needs("image", "breakglass")
def test_nothing_is_mounted_writable_but_what_is_meant(appliance):
    mounts = appliance.mounts()
    (root,) = [one for one in mounts if one.target == "/" and one.kind != "rootfs"]
    assert (root.kind, root.writable) == ("squashfs", False)
    kinds = {one.target: one.kind for one in mounts}
    assert {one: kinds.get(one) for one in MOUNTED} == MOUNTED
    if appliance.can("perm"):
        assert "/perm" in kinds
    assert not (odd := appliance.odd_mounts()), f"mounted writable: {', '.join(map(str, odd))}"


@pytest.mark.gk_shows("few places can be attacked: nothing listens but what is meant to")
@pytest.mark.gk_needs("breakglass")
def test_nobody_listens_but_the_web_interface_breakglass_and_programs_of_the_instance(appliance):
    assert not (odd := appliance.odd_listeners()), f"nobody is meant to listen so: {', '.join(map(str, odd))}"
    listening = appliance.listening()
    assert appliance.image.http_port in {one.port for one in listening if one.pid == 1}
    assert appliance.image.breakglass.path in {one.service for one in listening if one.protocol == "tcp"}

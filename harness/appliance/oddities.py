"""Oddities: which mounts and listeners of an appliance neither gokrazy nor its instance can be meant to have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.gokrazy.inside import INIT, DeviceMount, Listener
from harness.image.model import Image

MOUNTED = {
    **{"/tmp": "tmpfs", "/run": "tmpfs", "/proc": "proc", "/sys": "sysfs", "/sys/fs/cgroup": "cgroup2"},  # noqa: S108
    **{"/dev": "devtmpfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs"},  # noqa: S108  # paths of the device
}
"""What gokrazy's init mounts wherever it runs (its mount.go), and as what."""
WITHIN = ("/tmp/", "/dev/", "/run/", "/proc/", "/sys/", "/perm/", "/var/", "/mnt/")  # noqa: S108
"""Where programs of an instance may mount what they like, and on what: the root file system has nothing there."""
SYSTEM = "github.com/gokrazy/gokrazy/cmd/"
"""The packages of gokrazy's own programs begin so."""


def odd_mounts(mounts: Iterable[DeviceMount], image: Image, devices: Iterable[str]) -> Iterator[DeviceMount]:
    """Those that are writable and not meant; ``devices`` are the targets of the instance's MountDevices."""
    meant = {*MOUNTED, "/perm", *devices}
    if image.has_other_shell:
        # breakglass puts the names of busybox's commands there.
        meant.add("/bin")
    for one in mounts:
        if one.target == "/" and one.kind == "rootfs":
            continue
        if one.writable and one.target not in meant and not f"{one.target}/".startswith(WITHIN):
            yield one


def odd_listeners(listening: Iterable[Listener], image: Image, way_in: int) -> Iterator[Listener]:
    """Those of neither the web interface, breakglass (at port ``way_in``) nor a program of the instance."""
    for one in listening:
        if one.pid != 0 and not _is_meant(one, image, way_in):
            yield one


def _is_meant(one: Listener, image: Image, way_in: int) -> bool:
    service = image.service(one.service) if one.service else None
    if one.pid == INIT:
        return one.protocol == "udp" or (one.is_private and one.port in (image.http_port, image.https_port))
    if service is None:
        # busybox is whatever somebody who got in wants it to be.
        return one.program in (image.extra_files or ()) and not one.program.endswith("/busybox")
    # Whoever asks others by UDP does so from a port of his own.
    if one.protocol == "udp":
        return True
    if image.breakglass is not None and service.path == image.breakglass.path:
        return one.is_private and one.port == way_in
    return not service.package.startswith(SYSTEM)

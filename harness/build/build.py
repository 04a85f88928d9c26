"""From an instance to an Image: the front door of building, and the harness's own packer."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.build import gok, timestamp
from harness.build.bootfs import BootParts, boot_files, check_kernel, eeprom_notes, find_efi_loaders
from harness.build.breakglass_flags import with_flags
from harness.build.cache import Cache
from harness.build.carried import BOOT_SECTOR_SHA256, boot_sector
from harness.build.carried import TITLE as BOOT_SECTOR
from harness.build.device_type import device_type, raw_files
from harness.build.extrafiles import of_package
from harness.build.go import GoToolchain
from harness.build.gomod import parse_gomod
from harness.build.host_files import ca_bundle_of, localtime_of
from harness.build.init_program import init_source
from harness.build.inputs import (
    Inputs,
    check_kernel_folder,
    content_key,
    firmware_of,
    gather_extras,
    parse_kernel,
    stage_roots,
)
from harness.build.instance import Instance, load_instance
from harness.build.odd_extras import notes_on
from harness.build.programs import Plan, build_programs, plan
from harness.build.record import image_of, to_record
from harness.build.request import NEXT, BuildRequest, builder_of
from harness.build.rootfs import RootParts, root_tree
from harness.build.sbom import sbom
from harness.build.stored_config import stored_config
from harness.image.device_types import USUAL, known_type
from harness.image.disk import DiskParts, write_disk
from harness.image.fat import write_fat
from harness.image.load import load_raw
from harness.image.model import Image, PermState
from harness.image.sbom import modules_of
from harness.image.squashfs import pack

Progress = Callable[[str], None]

RASPBERRY_SIZE = 2 << 30
"""Bytes; QEMU's SD card takes powers of two only."""


def build(
    request: BuildRequest,
    *,
    cache: Cache,
    progress: Progress = lambda _line: None,
    environ: Mapping[str, str] = os.environ,
) -> Image:
    """The image of an instance, from the cache if it was built before; raises UserError and SetupMissing."""
    instance = load_instance(request.instance, environ=environ)
    if builder_of(request, environ) == "gok":
        return gok.build_with_gok(
            instance,
            size=_size(request, instance),
            perm="mkfs" if instance.formats_perm else request.perm_state,
            after=request.after,
            cache=cache,
            progress=progress,
            environ=environ,
        )
    device_type(instance.config)
    with cache.scratch() as scratch:
        inputs = _gather(request, instance, scratch, environ)
        stamp = _timestamp(request, inputs, environ)

        def make(work: Path, disk: Path) -> Mapping[str, Any]:
            return to_record(_Packer(request, inputs, stamp, work, cache, progress).write(disk))

        entry = cache.get(_digest(inputs.key, stamp), make, progress=progress)
    return image_of(entry, instance)


def check(request: BuildRequest, work: Path, *, environ: Mapping[str, str] = os.environ) -> None:
    """Raise what ``build`` would raise before it builds anything: for what cannot be built, or not here."""
    instance = load_instance(request.instance, environ=environ)
    if builder_of(request, environ) == "own":
        device_type(instance.config)
        _gather(request, instance, work, environ)


def _gather(request: BuildRequest, instance: Instance, work: Path, environ: Mapping[str, str]) -> Inputs:
    config = instance.config
    kernel, kernel_version = parse_kernel(request.kernel, instance)
    check_kernel_folder(instance, kernel)
    firmware = firmware_of(instance, kernel)
    go = GoToolchain.find(arch=instance.arch, build_env=config.env, environ=environ)
    roots = stage_roots(
        instance,
        go,
        work,
        kernel=kernel,
        kernel_version=kernel_version,
        firmware=firmware,
        with_modules=request.with_modules,
    )
    extras = gather_extras(instance)
    ca_bundle, localtime = ca_bundle_of(request.ca_bundle), localtime_of(request.localtime)
    loaders = find_efi_loaders(environ)
    facts = {
        "boot_sector": BOOT_SECTOR_SHA256,
        "ca_bundle": hashlib.sha256(ca_bundle).hexdigest(),
        "localtime": hashlib.sha256(localtime).hexdigest(),
        **request.facts(instance.arch),
        "size": _size(request, instance),
        "after": NEXT if request.after is not None else {},
    }
    key = content_key(instance, roots=roots, kernel=kernel, extras=extras, loaders=loaders, facts=facts)
    return Inputs(
        instance, go, roots, kernel, firmware, config.eeprom_package, extras, ca_bundle, localtime, loaders, key
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _timestamp(request: BuildRequest, inputs: Inputs, environ: Mapping[str, str]) -> str:
    given = timestamp.given(request.timestamp, environ, later=request.after is not None)
    if given is not None:
        return given
    mods = [
        parse_gomod((staged.folder / "go.mod").read_text("utf-8"), staged.root.label) for staged in inputs.roots
    ]
    return timestamp.derived(mods, inputs.key, later=request.after is not None)


def _size(request: BuildRequest, instance: Instance) -> int:
    if request.size is not None:
        return request.size
    return instance.config.flags.target_storage_bytes or (
        RASPBERRY_SIZE
        if instance.is_raspberry
        else (known_type(instance.config.device_type) or USUAL).smallest_disk
    )


class _Packer:
    """One build, step by step, in a work folder that somebody else removes."""

    def __init__(
        self,
        request: BuildRequest,
        inputs: Inputs,
        stamp: str,
        work: Path,
        cache: Cache,
        progress: Progress,
    ) -> None:
        self.cache = cache
        self.request = request
        self.inputs = inputs
        self.timestamp = stamp
        self.mtime = int(datetime.datetime.fromisoformat(stamp).timestamp())
        self.work = work
        self.progress = progress
        self.notes: list[str] = []
        self.extra_files: tuple[str, ...] = ()

    def write(self, disk: Path) -> Image:
        """Build everything and write the disk; raises UserError."""
        inputs, instance = self.inputs, self.inputs.instance
        planned = plan(inputs, self.progress)
        kernel = inputs.kernel.folder or planned.folder(inputs.kernel.package)
        check_kernel(instance, kernel)
        device = device_type(instance.config)
        raw = raw_files(device, kernel, instance.config)
        source = init_source(planned.services, planned.environment, timestamp=self.timestamp)
        if instance.config.flags.init_pkg:
            self.notes.append(f"its init is {instance.config.flags.init_pkg} (InitPkg), not gokrazy's")
        name = _digest(instance.config.hostname, instance.arch)[:32]
        with self.cache.programs(name) as keep:
            programs = build_programs(
                inputs, planned, source, keep=keep, out=self.work / "bin", progress=self.progress
            )
        infos = inputs.go.build_info(list(programs.values()))
        self.progress("packing the root file system")
        root = self._root(planned, programs, infos, kernel)
        self.progress("packing the boot file system and the disk")
        boot = self.work / "boot.fat"
        places = write_fat(boot, self._boot_files(planned, kernel), mtime=self.mtime)
        perm: PermState = "mkfs" if instance.formats_perm else self.request.perm_state
        write_disk(
            disk,
            DiskParts(
                arch=instance.arch,
                boot=boot,
                root=root,
                device=device,
                size=_size(self.request, instance),
                perm=perm,
                perm_seed=instance.config.hostname,
                mtime=self.mtime,
            ),
            hostname=instance.config.hostname,
            boot_code=boot_sector(inputs.go, self.work).content,
            vmlinuz=places["vmlinuz"],
            cmdline=places["cmdline.txt"],
        )
        with disk.open("r+b") as file:
            for offset, content in raw:
                file.seek(offset)
                file.write(content)
        return self._image(disk, planned, infos, perm)

    def _root(self, planned: Plan, programs: Mapping[str, Path], infos: Mapping[Path, str], kernel: Path) -> Path:
        inputs, instance = self.inputs, self.inputs.instance
        extras = list(inputs.extras)
        for package in planned.programs.values():
            extras += of_package(package.path, package.folder, instance.arch)
        self.notes += notes_on(extras, instance.arch)
        parts = RootParts(
            programs=programs,
            kernel=kernel,
            ca_bundle=inputs.ca_bundle,
            localtime=inputs.localtime,
            sbom=sbom(
                config=stored_config(instance.config),
                extras=extras,
                programs={
                    path: (file, infos[file]) for path, file in programs.items() if path in planned.programs
                },
                instance=instance.folder,
            ),
            extras=extras,
            more_files=NEXT if self.request.after is not None else {},
        )
        self.extra_files = tuple(sorted({*(extra.dest for extra in extras), *parts.more_files}))
        tree = root_tree(instance, parts)
        out = self.work / "root.squashfs"
        pack(tree, out, mtime=self.mtime)
        return out

    def _boot_files(self, planned: Plan, kernel: Path) -> list[tuple[str, bytes | Path]]:
        inputs = self.inputs
        has_uefi = device_type(inputs.instance.config).has_gpt
        if has_uefi and not any(loader.arch == inputs.instance.arch for loader in inputs.loaders):
            self.notes.append(
                f"the image has no UEFI boot loader for {inputs.instance.arch}: this machine has no systemd-boot "
                "for it (on Debian, `python -m harness.host.systemd_boot "
                f"{inputs.instance.arch}` fetches it)"
            )
        eeprom = planned.folder(inputs.eeprom) if inputs.eeprom else None
        self.notes += eeprom_notes(inputs.instance, eeprom)
        parts = BootParts(
            kernel=kernel,
            firmware=planned.folder(inputs.firmware) if inputs.firmware else None,
            eeprom=eeprom,
            loaders=inputs.loaders,
            serial=self.request.console(inputs.instance.arch),
            fast_boot=self.request.fast_boot,
            time=self._eeprom_time(planned),
        )
        return boot_files(inputs.instance, parts)

    def _eeprom_time(self, planned: Plan) -> int:
        """What the EEPROM's signature carries: a Raspberry Pi takes it for newer by that."""
        inputs = self.inputs
        if not inputs.eeprom or inputs.instance.config.bootloader_extra_eeprom:
            return self.mtime
        released = timestamp.version_time(planned.packages[inputs.eeprom].version)
        return self.mtime if released is None else int(released.timestamp())

    def _image(self, disk: Path, planned: Plan, infos: Mapping[Path, str], perm: PermState) -> Image:
        inputs, request = self.inputs, self.request
        modules = modules_of(list(infos.values()))
        for name in (inputs.kernel.package, inputs.firmware, inputs.eeprom):
            if name and name in planned.packages:
                modules[planned.packages[name].module] = planned.packages[name].version
        if inputs.kernel.folder is not None:
            modules[inputs.kernel.package] = "(local)"
            self.notes.append(f"the kernel comes from the folder {inputs.kernel.folder}")
        if (console := request.console(inputs.instance.arch)) is not None:
            self.notes.append(f"built with SerialConsole {console!r} instead of the instance's own")
        if request.fast_boot:
            self.notes.append("built with rootdelay=0")
        self.notes += planned.notes
        self.progress("reading the image back")
        image = load_raw(
            disk,
            builder="own",
            password=inputs.instance.password,
            instance=str(inputs.instance.folder),
            modules=dict(sorted(modules.items())),
            notes=self.notes,
        )
        titles = [loader.title for loader in inputs.loaders if loader.arch == inputs.instance.arch]
        kernel = dataclasses.replace(
            image.kernel,
            package=inputs.kernel.package,
            version=modules.get(inputs.kernel.package, ""),
        )
        return with_flags(
            dataclasses.replace(
                image,
                services=planned.services,
                kernel=kernel,
                perm=perm,
                extra_files=self.extra_files,
                boot_loader=titles[0] if titles and image.boot_loader else "",
                boot_sector=BOOT_SECTOR,
            )
        )


__all__ = ["BuildRequest", "build"]

"""Which programs go into an image, under which names, how they are started; and building them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.build.config import PackageConfig
from harness.build.go import Package, Program, requested
from harness.build.inputs import GOKRAZY, Inputs, StagedRoot
from harness.build.start_settings import StartSettings
from harness.errors import ConfigError
from harness.image.model import Service

_INIT_FOLDER = "harness-init"
INIT = "/gokrazy/init"
"""Where init lies on the device."""


@dataclass(frozen=True)
class Plan:
    """What was resolved before building: ``programs`` maps paths on the device to packages."""

    packages: Mapping[str, Package]
    programs: Mapping[str, Package]
    services: tuple[Service, ...]
    environment: Mapping[str, tuple[str, ...]] = field(repr=False)
    notes: tuple[str, ...] = ()

    def folder(self, package: str) -> Path:
        """Where a resolved package lies."""
        return self.packages[package].folder


def plan(inputs: Inputs, progress: Callable[[str], None]) -> Plan:
    """Resolve all packages; raises ModuleUnavailable, BuildFailed, ConfigError."""
    config = inputs.instance.config
    packages: dict[str, Package] = {}
    notes: list[str] = []
    for staged in inputs.roots:
        progress(f"resolving the packages of {staged.root.label}")
        found, unpinned = inputs.go.resolve(staged.root, staged.folder)
        packages.update((package.path, package) for package in found)
        if unpinned:
            notes.append(
                f"{staged.root.label} does not pin {', '.join(unpinned)}: the latest version was taken; "
                "commit go.mod and go.sum to have the same image elsewhere"
            )
    programs: dict[str, Package] = {}
    for folder, requests in (("/gokrazy", config.gokrazy_packages), ("/user", config.packages)):
        chosen = [
            package
            for request in requests
            if request
            for package in _programs_of(request, inputs, packages, notes)
        ]
        for package in sorted(chosen, key=lambda package: package.basename):
            path = f"{folder}/{config.package(package.path).basename or package.basename}"
            if path in programs and programs[path].path != package.path:
                raise ConfigError(
                    f"two packages would both be {path}: {programs[path].path} and {package.path}",
                    where=config.where("$.Packages"),
                    hint="set Basename in the PackageConfig of one of them",
                )
            programs[path] = package
    if (inputs.instance.folder / "builddir" / "init" / "go.mod").is_file():
        # What gok built init with until March 2023.
        notes.append(f"builddir/init/go.mod is ignored, as by gok: init is built with that of {GOKRAZY}")
    init = config.flags.init_pkg
    if init:
        own = next((package for package in packages.values() if package.path == init), None)
        if own is None or not own.is_program or own.basename != "init":
            raise ConfigError(
                f"InitPkg is {init}, which is no program of the name init",
                where=config.where("$.InternalCompatibilityFlags.InitPkg"),
                hint="gok would make an image without init of it",
            )
        programs[INIT] = own
    known = {package.path for package in programs.values()} | set(config.packages) | set(config.gokrazy_packages)
    for name in config.package_config:
        if name not in known:
            where = config.where(f'$.PackageConfig["{name}"]')
            notes.append(f"PackageConfig has {name}, which is no package of the instance: {where}")
    starts = StartSettings(config)
    notes += starts.notes({path: package.path for path, package in programs.items() if path != INIT})
    return Plan(
        packages=packages,
        programs=programs,
        services=tuple(
            service_of(path, package.path, starts.of(path)) for path, package in programs.items() if path != INIT
        ),
        environment={path: starts.of(path).environment for path in programs},
        notes=tuple(notes),
    )


def _programs_of(request: str, inputs: Inputs, packages: Mapping[str, Package], notes: list[str]) -> list[Package]:
    found = requested(request, [packages[path] for path in packages])
    mains = [package for package in found if package.is_program]
    if not mains:
        notes.append(f"{request} holds no program, and so is not in the image")
    del inputs
    return mains


def service_of(path: str, package: str, settings: PackageConfig) -> Service:
    """A program of the image as init starts it by these settings (see ``start_settings``)."""
    return Service(
        path=path,
        package=package,
        args=settings.command_line_flags,
        starts="manual" if settings.dont_start else "after-clock" if settings.wait_for_clock else "boot",
    )


def build_programs(
    inputs: Inputs, planned: Plan, init: str, *, keep: Path, out: Path, progress: Callable[[str], None]
) -> dict[str, Path]:
    """Build all programs and init into ``out``: paths on the device -> binaries; raises BuildFailed.

    ``keep`` holds the programs of an earlier build of the same instance, or nothing.
    """
    config = inputs.instance.config
    by_root: dict[Path, tuple[StagedRoot, list[Program]]] = {}
    result: dict[str, Path] = {}

    def add(staged: StagedRoot, program: Program, path: str) -> None:
        by_root.setdefault(staged.folder, (staged, []))[1].append(program)
        result[path] = out / staged.folder.name / program.name

    for path, package in planned.programs.items():
        settings = config.package(package.path)
        staged = _root_of(package.path, inputs)
        program = Program(
            path=package.path,
            basename=package.basename,
            name=path.strip("/").replace("/", "-"),
            tags=settings.go_build_tags,
            flags=settings.go_build_flags,
            env=settings.go_build_environment,
        )
        add(staged, program, path)
    if INIT in planned.programs:
        return _build(inputs, by_root, result, keep=keep, out=out, progress=progress)
    home = inputs.root_of(GOKRAZY)
    (home.folder / _INIT_FOLDER).mkdir(exist_ok=True)
    (home.folder / _INIT_FOLDER / "main.go").write_text(init, encoding="utf-8")
    add(home, Program(f"./{_INIT_FOLDER}", _INIT_FOLDER, "init"), INIT)
    return _build(inputs, by_root, result, keep=keep, out=out, progress=progress)


def _build(
    inputs: Inputs,
    by_root: Mapping[Path, tuple[StagedRoot, list[Program]]],
    result: dict[str, Path],
    *,
    keep: Path,
    out: Path,
    progress: Callable[[str], None],
) -> dict[str, Path]:
    progress(f"building {len(result)} programs")
    for staged, programs in by_root.values():
        name = staged.folder.name
        (keep / name).mkdir(exist_ok=True)
        inputs.go.build(staged.root, staged.folder, programs, keep=keep / name, out=out / name)
    return result


def _root_of(package: str, inputs: Inputs) -> StagedRoot:
    for staged in inputs.roots:
        for request in staged.root.packages:
            if package == request or (
                request.endswith("/...") and f"{package}/".startswith(request.removesuffix("..."))
            ):
                return staged
    raise AssertionError(package)

"""One program of an instance, or of a folder, built as its image would have it: for ``gok run``'s quick loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.build.config import Config
from harness.build.go import TAGS, GoToolchain, Program
from harness.build.gomod import module_roots
from harness.build.instance import Instance
from harness.errors import OptionError


@dataclass(frozen=True)
class Made:
    """A program, and the path on a device of the service that it belongs to."""

    program: Path
    service: str


def build_one(instance: Instance, package: str, work: Path) -> Made:
    """Build a package for the device of this instance, below the new folder ``work``.

    ``package`` is a folder of this host, which is built in its own module as ``gok run`` does; or an import path,
    or the last element of one that the instance names, which is built as for its image. Raises OptionError,
    BuildFailed, ModuleUnavailable.
    """
    config = instance.config
    go = GoToolchain.find(arch=instance.arch, build_env=config.env)
    work.mkdir(parents=True)
    if Path(package).is_dir():
        path = go.import_path(Path(package))
        name = _name(config, path)
        settings = config.package(path)
        tags = f"-tags={','.join((*TAGS, *settings.go_build_tags))}"
        go.build_in_place(Path(package), ".", work / name, flags=[tags, *settings.go_build_flags])
        return _made(work / name, path)
    path = _named(instance, package)
    (root,) = module_roots(instance.folder, [path])
    root.stage(work / "module")
    found, _ = go.resolve(root, work / "module")
    own = next((one for one in found if one.path == path), None)
    if own is None or not own.is_program:
        raise _no_program(path)
    name, settings = _name(config, path), config.package(path)
    program = Program(
        path,
        own.basename,
        name,
        tags=settings.go_build_tags,
        flags=settings.go_build_flags,
        env=settings.go_build_environment,
    )
    (work / "keep").mkdir()
    go.build(root, work / "module", [program], keep=work / "keep", out=work / "out")
    return _made(work / "out" / name, path)


def must_be_known(instance: Instance, package: str) -> None:
    """Raise OptionError for what is neither a folder nor can be a package, before anything takes long."""
    if not Path(package).is_dir():
        _named(instance, package)


def _named(instance: Instance, package: str) -> str:
    """The import path that is meant."""
    packages = instance.config.packages
    if package in packages:
        return package
    alike = [one for one in packages if one.rpartition("/")[2] == package]
    if len(alike) == 1:
        return alike[0]
    host = package.partition("/")[0]
    if "." in host and host not in (".", "..") and "/" in package:
        return package
    raise OptionError(
        f"{package!r} is no folder, and no package of the instance",
        where=str(instance.folder),
        hint=f"name a folder, or one of its packages: {', '.join(packages)}",
    )


def _name(config: Config, path: str) -> str:
    return config.package(path).basename or path.rpartition("/")[2]


def _made(program: Path, path: str) -> Made:
    # What is no program, Go builds into an archive.
    with program.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            raise _no_program(path)
    return Made(program, f"/user/{program.name}")


def _no_program(path: str) -> OptionError:
    return OptionError(f"{path} is no program", hint="name a folder, or a package, that says package main")

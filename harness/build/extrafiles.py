"""Files that packages bring along into the root file system: from config.json, and from their own folders."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.build.instance import Instance
from harness.errors import ConfigError
from harness.image.squashfs import Dir, File, Link, Node

KEPT_MODE = 0o777
"""Of the modes of this machine's files."""
_EMPTY_MODE = 0o444
# gok's FileInfo knows a file from a folder by its content.
_FOLDER_OF_EMPTY = "an empty file, of which gok makes a folder"
_FOLDER_OF_LINK = "a hard link in an archive, of which gok makes a folder"


@dataclass(frozen=True)
class Extra:
    """One path of the root file system; ``origin`` is the file of this machine that it comes from, if any."""

    dest: str
    node: Node
    package: str
    origin: Path | None = None
    odd: str = ""
    """What a reader should know, where gok makes something else of it than one would think."""


def configured(instance: Instance) -> list[Extra]:
    """What ExtraFilePaths and ExtraFileContents ask for; raises ConfigError."""
    extras: list[Extra] = []
    config = instance.config
    for package, settings in config.package_config.items():
        base = f'$.PackageConfig["{package}"]'
        for dest, source in settings.extra_file_paths.items():
            where = config.where(f'{base}.ExtraFilePaths["{dest}"]')
            target = _destination(dest, where)
            path = instance.folder / source
            if path.is_file():
                mode = path.stat().st_mode & KEPT_MODE
                extras.append(Extra(target, File(path, mode), package, path))
                continue
            found = list(_from_archive_or_folder(path, instance.arch, target, package))
            if not found:
                raise ConfigError(
                    f"the extra file {source!r} of {package} is not there",
                    where=where,
                    hint=f"looked for {path}, and for it with _{instance.arch}.tar.zst, _{instance.arch}.tar, "
                    ".tar.zst, .tar",
                )
            extras += found
        for dest, contents in settings.extra_file_contents.items():
            where = config.where(f'{base}.ExtraFileContents["{dest}"]')
            target = _destination(dest, where)
            if contents:
                extras.append(Extra(target, File(contents.encode()), package))
            else:
                extras.append(Extra(target, Dir(), package, odd=_FOLDER_OF_EMPTY))
    for extra in extras:
        if extra.dest == "/perm" or extra.dest.startswith("/perm/"):
            raise ConfigError(
                f"{extra.package} would put {extra.dest} on /perm, which belongs to the device",
                where=config.where(f'$.PackageConfig["{extra.package}"]'),
                hint="put it elsewhere, and have the program copy it",
            )
    return extras


def of_package(package: str, folder: Path, arch: str) -> list[Extra]:
    """What a package's own folder has for every image that it goes into (``_gokrazy/extrafiles``)."""
    return list(_from_archive_or_folder(folder / "_gokrazy" / "extrafiles", arch, "/", package))


def of_old_layout(instance: Instance) -> list[Extra]:
    """The instance's extrafiles/<package> folders, which count only when config.json has no PackageConfig."""
    if not instance.old_layout:
        return []
    names = (*instance.config.gokrazy_packages, *instance.config.packages)
    top = instance.folder / "extrafiles"
    return [extra for name in names for extra in _from_archive_or_folder(top / name, instance.arch, "/", name)]


def _destination(dest: str, where: str) -> str:
    path = PurePosixPath("/") / dest
    if ".." in path.parts or len(path.parts) < 2 or "\0" in dest:
        raise ConfigError(f"{dest!r} is no path for a file in the image", where=where)
    return str(path).replace("//", "/")


def _from_archive_or_folder(path: Path, arch: str, dest: str, package: str) -> Iterator[Extra]:
    for suffix in (f"_{arch}.tar.zst", f"_{arch}.tar", ".tar.zst", ".tar"):
        archive = path.with_name(path.name + suffix)
        if archive.is_file():
            yield from _unpack(archive, dest, package)
            return
    if path.is_dir():
        yield from walk(path, dest, package)


def walk(folder: Path, dest: str, package: str) -> Iterator[Extra]:
    """A folder of this machine with everything below; links are followed, as gokrazy's packer does."""
    yield Extra(dest, Dir(), package)
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        inner = f"{dest.rstrip('/')}/{entry.name}"
        try:
            status = entry.stat()
        except OSError as error:
            raise ConfigError(
                f"an extra file cannot be read: {error.strerror}", where=str(entry), hint="a dangling link?"
            ) from error
        if stat.S_ISDIR(status.st_mode):
            yield from walk(entry, inner, package)
        elif stat.S_ISREG(status.st_mode):
            yield Extra(inner, File(entry, status.st_mode & KEPT_MODE), package, entry)
        else:
            raise ConfigError("an extra file is neither file nor folder", where=str(entry))


def _unpack(archive: Path, dest: str, package: str) -> Iterator[Extra]:
    try:
        with _open(archive) as tar:
            for member in tar:
                inner = (
                    _destination(f"{dest.rstrip('/')}/{member.name}", str(archive)) if member.name != "." else dest
                )
                if member.isdir():
                    yield Extra(inner, Dir(), package)
                elif member.issym():
                    yield Extra(inner, Link(member.linkname), package)
                elif member.islnk():
                    yield Extra(inner, Dir(), package, odd=_FOLDER_OF_LINK)
                elif member.isfile() and member.size == 0:
                    yield Extra(inner, Dir(), package, odd=_FOLDER_OF_EMPTY)
                elif member.isfile():
                    content = tar.extractfile(member)
                    assert content is not None
                    yield Extra(inner, File(content.read(), member.mode & 0o7777 or _EMPTY_MODE), package, archive)
                else:
                    raise ConfigError(
                        f"the archive holds a device or pipe: {member.name}",
                        where=str(archive),
                        hint="an image takes files, folders and links",
                    )
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ConfigError(f"the archive cannot be read: {error}", where=str(archive)) from error


def _open(archive: Path) -> tarfile.TarFile:
    if archive.suffix != ".zst":
        return tarfile.open(archive, mode="r:")
    import zstandard

    try:
        with archive.open("rb") as file:
            data = zstandard.ZstdDecompressor().stream_reader(file).read()
    except zstandard.ZstdError as error:
        raise ConfigError(f"the archive is not zstd: {error}", where=str(archive)) from error
    return tarfile.open(fileobj=io.BytesIO(data), mode="r:")

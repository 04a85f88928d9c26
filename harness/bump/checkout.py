"""A kernel as a commit of a repository's checkout: ``DIR@REV``, of which the files are taken as they were then."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.errors import OptionError
from harness.lifetime.leash import leashed


def kernel_folder(kernel: str, scratch: Path) -> str:
    """A kernel as the builder takes it, its commit taken out into ``scratch``; raises OptionError."""
    folder, at, revision = kernel.rpartition("@")
    if not at or not (Path(folder).expanduser() / ".git").exists():
        return kernel
    root = Path(folder).expanduser()
    commit = git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    if not commit:
        raise OptionError(f"this checkout has no commit {revision!r}", where=str(root))
    out = scratch / commit
    if not out.exists():
        out.mkdir(parents=True)
        # The files of that commit; the index and the files of the checkout stay as they are.
        archive = scratch / f"{commit}.tar"
        git(root, "archive", "--format=tar", f"--output={archive}", commit)
        subprocess.run(leashed(["tar", "-xf", str(archive), "-C", str(out)]), check=True)
        archive.unlink()
    return str(out)


def git(root: Path, *arguments: str) -> str:
    """What git says of a checkout, "" where it has no answer; raises OptionError."""
    try:
        done = subprocess.run(
            leashed(["git", "-C", str(root), *arguments]),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise OptionError(
            f"git, which reads this checkout, does not run: {error.strerror}", where=str(root)
        ) from None
    if done.returncode and done.stderr.strip():
        raise OptionError(
            f"git cannot read this checkout: {done.stderr.strip().splitlines()[-1]}", where=str(root)
        )
    return done.stdout

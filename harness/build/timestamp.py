"""When an image was built, as it says of itself: a moment that follows from what goes in.

The same inputs give the same bytes on every machine and on every day, so the clock cannot say it, and the times of
local files cannot either: a clone has those of its checkout. What does not depend on the machine is the time of
each module version that the instance pins (a pseudo-version carries that of its commit), and of what the builder
pins itself. So the newest of these is taken, and before it, by the digest of everything that goes in, one of the
seconds of a few hours: the timestamp is the only version that a device reports, and has to differ where contents
do. Therefore

- no timestamp lies in the future,
- a newer module makes a later image, unless the two were released within hours,
- what an update installs is later than what it replaces: it takes the later half of those hours,
- of two edits of a local file the later one does not have the later timestamp: nothing here can know it.
  ``--gk-timestamp`` and SOURCE_DATE_EPOCH say when it was.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping

from harness.build.carried import INTERNAL
from harness.build.gomod import GoMod
from harness.errors import OptionError

HALF = 6 * 3600
"""Seconds: the hours before the newest module, and once more for what an update installs."""
_PSEUDO = re.compile(r"[-.](\d{14})-[0-9a-f]{12}(?:\+incompatible)?")


def version_time(version: str) -> datetime.datetime | None:
    """When the commit of a pseudo-version was made (go.dev/ref/mod#pseudo-versions); None for other versions."""
    match = _PSEUDO.search(version)
    if match is None:
        return None
    try:
        return datetime.datetime.strptime(match.group(1), "%Y%m%d%H%M%S").replace(tzinfo=datetime.UTC)
    except ValueError:
        return None


def newest(mods: Iterable[GoMod]) -> datetime.datetime:
    """The newest of the module versions that these go.mod files and the builder itself pin."""
    versions = [INTERNAL.version]
    for mod in mods:
        replaced = {replace.old for replace in mod.replaces}
        versions += [version for module, version in mod.requires.items() if module not in replaced]
        versions += [replace.new_version for replace in mod.replaces]
    return max(found for version in versions if (found := version_time(version)) is not None)


def derived(mods: Iterable[GoMod], key: str, *, later: bool) -> str:
    """The timestamp of what ``key`` is the digest of; ``later`` for what an update installs."""
    offset = int(key[:12], 16) % HALF
    start = newest(mods) - datetime.timedelta(seconds=HALF if later else 2 * HALF)
    return rfc3339(start + datetime.timedelta(seconds=offset))


def given(timestamp: str | None, environ: Mapping[str, str], *, later: bool = False) -> str | None:
    """The timestamp that the user asks for, by option or by SOURCE_DATE_EPOCH; raises OptionError.

    What an update installs is a second ``later``: with the same one nobody would know what runs.
    """
    if timestamp is None:
        epoch = environ.get("SOURCE_DATE_EPOCH")
        if not epoch:
            return None
        if not epoch.isdecimal():
            raise OptionError(f"SOURCE_DATE_EPOCH is no number of seconds: {epoch!r}")
        return rfc3339(datetime.datetime.fromtimestamp(int(epoch) + later, datetime.UTC))
    try:
        moment = datetime.datetime.fromisoformat(timestamp)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise OptionError(
            f"the build timestamp is not RFC 3339: {timestamp!r}", hint="such as 2026-01-31T12:00:00Z"
        ) from None
    if later:
        return rfc3339((moment + datetime.timedelta(seconds=1)).astimezone(datetime.UTC))
    return timestamp


def rfc3339(moment: datetime.datetime) -> str:
    """A moment as gokrazy's packer writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

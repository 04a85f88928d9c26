"""Inside: an appliance looked into: its pages in a browser, its files, its mounts, and who listens on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from harness.appliance.abilities import NOT
from harness.appliance.assembly import Assembly
from harness.appliance.oddities import odd_listeners, odd_mounts
from harness.appliance.time_line import Lane
from harness.appliance.ways_in import WaysIn
from harness.errors import OptionError
from harness.gokrazy.breakglass import Breakglass
from harness.gokrazy.browser import Browser, Ears, Guest
from harness.gokrazy.inside import (
    DeviceFile,
    DeviceMount,
    Listener,
    files_below,
    listeners,
    mounts_in,
    read_text,
)
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll
from harness.image.gokrazys_root import MOUNT_DEVICES, oddities
from harness.image.root import root_of
from harness.image.squashfs import SquashFs
from harness.machine.screen import Picture, picture

MOST_PICTURES = 12
"""Pictures of one test that the report shows."""


@dataclass(frozen=True)
class PagePicture:
    """What somebody saw of an appliance, for the report of its test."""

    title: str
    at: float
    """Seconds since its time line began."""
    png: bytes
    """A PNG file."""


class Inside(WaysIn):
    """The part of an appliance that is about what can be seen of it while it runs."""

    def __init__(self, made: Assembly) -> None:
        super().__init__(made)
        self.pictures: list[PagePicture] = []
        """Pictures of its pages, which the report shows whatever becomes of the test."""

    @contextmanager
    def browser(self, *, password: str | None = "", width: int = 1280, height: int = 900) -> Iterator[Browser]:
        """A block with a browser on its web interface: one window of this size, in pixels.

        The password is the image's, unless another one is given, or None for nobody's. Over TLS, any certificate
        will do. Raises ToolMissing where there is no browser (``gk_needs("browser")`` skips the test instead).
        """
        if password == "":
            password = self.running.password
        self.time_line.keep_secret(password)
        guest = Guest(self.device.url, password, self.budget.service, width, height)

        def note(text: str) -> None:
            self.time_line.add(Lane.NOTES, text)

        with Browser(guest, Ears(self.check, self._gate(), note, self.keep_picture)) as browser:
            yield browser

    def _gate(self) -> Callable[[str, str, object], None] | None:
        """Who is asked before the browser sends anything; None for nobody."""
        return None

    def keep_picture(self, title: str, png: bytes, text: str = "") -> None:
        """Have the report show a PNG file; ``text`` is what can be read in it.

        It is not kept where the text has a password: nobody can take that out of a picture.
        """
        if self.time_line.hide(text) != text:
            self.time_line.add(Lane.NOTES, f"no picture of {title}: a password can be read in it")
            return
        self.time_line.add(Lane.NOTES, f"a picture is taken: {title}")
        if len(self.pictures) < MOST_PICTURES:
            self.pictures.append(PagePicture(title, self.time_line.clock() - self.time_line.zero, png))
            with suppress(OSError):
                (self.folder / f"picture-{len(self.pictures)}.png").write_bytes(png)

    def screenshot(self) -> Picture:
        """Its screen as it is now; the report shows it, where its console has said no password.

        Raises OptionError where it has none or is off (``gk_needs("screen")`` skips the test instead).
        """
        shown = self._picture()
        self._keep(shown)
        return shown

    def _picture(self) -> Picture:
        if lack := self.missing("screen"):
            raise OptionError(lack.removeprefix(NOT), where=self.console.name)
        shown = picture(self.power.machine, self.folder)
        if shown is None:
            raise OptionError("it shows no screen: it is off, or QEMU has ended", where=self.console.name)
        return shown

    def _keep(self, shown: Picture) -> None:
        self.keep_picture("the screen", shown.png(), "\n".join(line.text for line in self.console.lines()))

    def wait_until_shown(self, what: str, fits: Callable[[Picture], str]) -> Picture:
        """Wait until its screen shows ``what``; returns that picture, which the report shows.

        ``fits`` looks at a picture and returns what it sees instead, "" when it is that. Raises WaitTimeout, and
        OptionError as ``screenshot`` does.
        """

        def attempt(_: Deadline) -> Done[Picture] | NotYet:
            shown = self._picture()
            seen = fits(shown)
            return NotYet(seen) if seen else Done(shown)

        shown = poll(
            f"{what} on its screen", self.budget.service, attempt, where=self.console.name, check=self.check
        )
        self._keep(shown)
        return shown

    def files(self, *folders: str) -> tuple[DeviceFile, ...]:
        """These folders as the device has them, with all that is in them, by path; needs breakglass."""
        with self.breakglass() as rescue:
            return rescue.look(", ".join(folders), lambda sftp: files_below(sftp, folders))

    def mounts(self) -> tuple[DeviceMount, ...]:
        """What the device has mounted, in the order in which it did so; needs breakglass."""
        with self.breakglass() as rescue:
            return mounted(rescue)

    def listening(self) -> tuple[Listener, ...]:
        """Who listens on the device, where, for which service; needs breakglass, which listens as well."""
        with self.breakglass() as rescue:
            return self._listening(rescue)

    def _listening(self, rescue: Breakglass) -> tuple[Listener, ...]:
        services = {one.pid: one.path for one in self.device.status().services if one.pid}
        return rescue.look("who listens", lambda sftp: listeners(sftp, services))

    # -- what is odd of it

    @property
    def _root(self) -> SquashFs:
        """The root file system in the image that it started with."""
        return root_of(self.image)

    def image_files(self, *folders: str) -> tuple[DeviceFile, ...]:
        """These folders as its image has them, with all that is in them, by path."""
        beginnings = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        found = (one for one in self._root.entries() if f"{one.path.rstrip('/')}/".startswith(beginnings))
        return tuple(sorted((DeviceFile(**vars(one)) for one in found), key=lambda one: one.path))

    def odd_files(self) -> tuple[str, ...]:
        """What is not as gokrazy makes it in its image's root file system, and what nobody brings; a line each.

        A finished image does not say which extra files it was given: what there is besides is then left out.
        """
        return tuple(oddities(self.image, self._root))

    def odd_mounts(self) -> tuple[DeviceMount, ...]:
        """What init has mounted so that it can be written to, where nothing is meant to be; needs breakglass."""
        root = self._root
        devices: Sequence[Mapping[str, str]] = []
        if any(one.path == MOUNT_DEVICES for one in root.entries()):
            devices = json.loads(root.read(MOUNT_DEVICES)) or []
        return tuple(odd_mounts(self.mounts(), self.image, [one["Target"].rstrip("/") for one in devices]))

    def odd_listeners(self) -> tuple[Listener, ...]:
        """Who listens and is no web interface, breakglass or program of the instance; needs breakglass.

        A process may end while it is looked for: who is odd, is so in two looks.
        """
        with self.breakglass() as rescue:
            found = self._odd_listeners(rescue)
            again = {str(one) for one in self._odd_listeners(rescue)} if found else set()
        return tuple(one for one in found if str(one) in again)

    def _odd_listeners(self, rescue: Breakglass) -> list[Listener]:
        return [*odd_listeners(self._listening(rescue), self.image, self._breakglass_port)]


def mounted(rescue: Breakglass) -> tuple[DeviceMount, ...]:
    """What is mounted, the latest last: by init, as breakglass has mounts of its own."""
    return mounts_in(rescue.look("its mounts", lambda sftp: read_text(sftp, "/proc/1/mounts")))

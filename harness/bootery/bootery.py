"""Bootery: what the requests of the protocol do: use bakeries, update their root, test their boot, release."""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from harness.boards import Board
from harness.bootery.caller import Caller
from harness.bootery.candidate import Candidate, candidate
from harness.bootery.carrier import Carrier
from harness.bootery.config import Bakery, Config
from harness.bootery.leases import Lease, Leases
from harness.bootery.refusal import CallerGone, Refusal, status_of
from harness.bootery.success import hardware_for
from harness.bootery.tryout import Tryout, try_on
from harness.bootery.versus import Before, Versus, compare, settings_for
from harness.errors import HarnessError, HostFault
from harness.image.model import Image
from harness.lab.folders import fresh
from harness.lab.lab import Lab
from harness.machine.ports import Port
from harness.options import Settings

MOST = 1800.0
"""Seconds that a client waits at most for one test."""
ENDS = 15.0
"""Seconds for the tests that run to end once they are told to; what is left then ends with this process."""
REPORT = "report.txt"
Receive = Callable[[Path, str], int]
"""Puts the body of the request into a file; gets what it is as well: "root" or "boot"."""
LabOf = Callable[[Settings], Lab]


@dataclass(frozen=True)
class Asked:
    """One request to test a boot."""

    bakeries: Sequence[Bakery]
    with_root: bool
    newer: int
    """What the boot file system is to be newer than, in seconds since 1970; 0 for no matter."""


class Bootery:
    """The bakeries of a configuration, and who has them.

    ``lab`` builds the carriers and keeps the folder in which everything lies; each test has a lab of its own, from
    ``lab_of``, which ends with it. ``say`` prints a line for whoever watches.
    """

    def __init__(
        self, config: Config, lab: Lab, *, lab_of: LabOf | None = None, say: Callable[[str], None]
    ) -> None:
        self.config = config
        self._lab = lab
        self._lab_of = lab_of or (lambda settings: Lab(settings, say=say))
        self.leases = Leases(lambda name: lab.folders.folder(name, bulky=True))
        self._say = say
        self._numbers = itertools.count(1)
        self._carriers: dict[str, Carrier] = {}
        self._making = threading.Lock()
        self._before = Before(lambda name: lab.folders.folder(name, bulky=True))
        self._tests: set[Stopped] = set()
        """Those that run."""
        self._changed = threading.Condition()

    def prepare(self) -> None:
        """Find QEMU for each board, and make each carrier, before anybody waits for it; raises what hinders."""
        for board in self.config.boards:
            self._lab.starts.qemus.of(board)
        for bakery in self.config.bakeries.values():
            self._carrier_of(bakery)

    # -- the requests

    def use(self, slug: str, caller: Caller) -> Lease:
        """Give the caller the bakeries of a repository; raises Refusal, CallerGone."""
        return self.leases.use(self._bakeries_of(slug), caller, slug)

    def release(self, slug: str, caller: Caller) -> Lease | None:
        """Take back what the caller has; None when it has nothing."""
        return self.leases.release(caller, slug)

    def update_root(self, hostname: str, caller: Caller, receive: Receive) -> int:
        """Keep the root file system for a bakery until its boot is tested; returns its size in bytes."""
        with self.leases.request(self._bakery(hostname), caller) as lease:
            root = lease.root_of(self._bakery(hostname))
            # One that comes only in part must not stand for a whole one, nor for that of before.
            root.unlink(missing_ok=True)
            part = root.with_suffix(".part")
            try:
                size = receive(part, "root")
                part.rename(root)
            finally:
                part.unlink(missing_ok=True)
            return size

    def test_boot(self, asked: Asked, caller: Caller, receive: Receive) -> str:
        """Have each bakery boot what the caller sent; returns the boot log.

        Raises Refusal, with the reason and where the report is, when one of them does not boot it, and CallerGone.
        """
        bakeries = sorted(asked.bakeries, key=lambda bakery: bakery.name)
        with ExitStack() as stack:
            leases = [stack.enter_context(self.leases.request(bakery, caller)) for bakery in bakeries]
            roots = [
                self._root(lease, bakery) if asked.with_root else None
                for lease, bakery in zip(leases, bakeries, strict=True)
            ]
            work = self._lab.folders.folder("boot", bulky=True)
            stack.callback(shutil.rmtree, work, ignore_errors=True)
            boot = work / "boot.img"
            receive(boot, "boot")
            tryouts: list[Tryout | Versus] = []
            for bakery, lease, root in zip(bakeries, leases, roots, strict=True):
                found = self._test(bakery, boot, root, asked.newer, caller)
                tryouts += found
                lease.tried.add(bakery.name)
                lease.failed = not all(one.passed for one in found)
            return "\n".join(_answer(tryouts))

    def end(self) -> None:
        """End every test that runs, and wait until they have, as the bootery goes."""
        with self._changed:
            for test in self._tests:
                test.stop("the bootery was ended")
            self._changed.wait_for(lambda: not self._tests, ENDS)

    # -- within

    def _bakeries_of(self, slug: str) -> tuple[Bakery, ...]:
        if not slug:
            raise Refusal(HTTPStatus.BAD_REQUEST, "empty slug parameter")
        if slug not in self.config.slugs:
            raise Refusal(HTTPStatus.NOT_FOUND, f"no bakeries are configured for slug {slug!r}")
        return self.config.slugs[slug]

    def _bakery(self, name: str) -> Bakery:
        if not name:
            raise Refusal(HTTPStatus.BAD_REQUEST, "empty hostname parameter")
        if name not in self.config.bakeries:
            known = ", ".join(self.config.bakeries)
            raise Refusal(HTTPStatus.NOT_FOUND, f"no bakery {name!r} is configured; there are: {known}")
        return self.config.bakeries[name]

    def bakeries_of(self, hostname: str, slug: str) -> tuple[Bakery, ...]:
        """The bakeries that a request means, by the name of one or by a repository; raises Refusal."""
        return self._bakeries_of(slug) if slug and not hostname else (self._bakery(hostname),)

    def _root(self, lease: Lease, bakery: Bakery) -> Path:
        root = lease.root_of(bakery)
        if not root.is_file():
            what = f"no root file system was sent for {bakery.name}: PUT /updateroot comes first"
            raise Refusal(HTTPStatus.CONFLICT, what)
        return root

    def _carrier_of(self, bakery: Bakery) -> Carrier:
        with self._making:
            if bakery.name not in self._carriers:
                image = self._lab.images.image(bakery.boards[0], "hello")
                folder = self._lab.folders.folder("carrier", bulky=True)
                self._carriers[bakery.name] = Carrier.of(
                    image, self._lab.images.update_files(image), bakery.name, folder
                )
            return self._carriers[bakery.name]

    def _test(
        self, bakery: Bakery, boot: Path, root: Path | None, newer: int, caller: Caller
    ) -> list[Tryout | Versus]:
        """Try it on each board of a bakery, compare it where that is configured, and write the report."""
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{next(self._numbers)}-{bakery.name}"
        logs = fresh(self._lab.settings.artifacts / name)
        carrier = self._carrier_of(bakery)
        until = time.monotonic() + MOST
        found: list[Tryout | Versus] = []
        try:
            made = candidate(boot, root, carrier)
        except HarnessError as error:
            found.append(Tryout(bakery.name, bakery.boards[0], error))
        else:
            found += [self._try_on(board, carrier, made, newer, logs, caller) for board in bakery.boards]
            if bakery.comparison is not None and all(one.passed for one in found):
                found.append(self._compare(bakery, made, logs, caller, until))
                if all(one.passed for one in found):
                    self._keep(bakery, made)
        if caller.gone.is_set():
            raise CallerGone("it went away while its test ran")
        report = _report(logs, found)
        for one in found:
            one.report = report
        return found

    def _try_on(
        self, board: Board, carrier: Carrier, made: Candidate, newer: int, logs: Path, caller: Caller
    ) -> Tryout:
        what = "root and boot file system" if made.with_root else "boot file system"
        self._say(f"{carrier.hostname}: the board {board.name} is to install and boot a {what}")
        with (
            self._lab_of(self._settings(made.image, logs)) as lab,
            self._stopped_by(lab, board.name, caller, time.monotonic() + MOST) as stopped,
        ):
            try:
                tryout = try_on(lab, board, carrier, made, newer=newer, check=stopped.check)
            except Exception:
                # Its folders were taken from under it, too.
                stopped.check()
                raise
            if stopped.why is not None:
                tryout.error = stopped.why
            return tryout

    def _compare(self, bakery: Bakery, made: Candidate, logs: Path, caller: Caller, until: float) -> Versus:
        """Compare what booted, in the time that is left until the client gives up."""

        def say(line: str) -> None:
            self._say(f"{bakery.name}: comparison: {line}")

        with (
            self._lab_of(settings_for(self._settings(made.image, logs))) as lab,
            self._stopped_by(lab, "", caller, until) as stopped,
        ):
            try:
                versus = compare(lab, bakery, made, self._before, logs=logs, say=say)
            except Exception:
                stopped.check()
                raise
            if stopped.why is not None:
                versus.error = stopped.why
            return versus

    def _keep(self, bakery: Bakery, made: Candidate) -> None:
        """Keep what passed for the next comparison; where that cannot be, this upload has passed all the same."""
        try:
            self._before.keep(bakery, made)
        except (HarnessError, OSError) as error:
            self._say(f"{bakery.name}: the next upload is compared with an older one: {error}")

    def _settings(self, image: Image, logs: Path) -> Settings:
        """The settings of one test: where its logs go, and what is particular to what was uploaded."""
        usual = self._lab.settings
        return replace(
            usual,
            artifacts=logs,
            forward=(*usual.forward, Port(image.http_port), Port(image.https_port)),
            qemu_arg=(*usual.qemu_arg, *hardware_for(image)),
            # A carrier that did not come up once says nothing about the next one.
            boot_again=True,
        )

    @contextmanager
    def _stopped_by(self, lab: Lab, name: str, caller: Caller, until: float) -> Iterator[Stopped]:
        """Within this block the machine of the lab ends with the caller, with the bootery, and in good time.

        ``name`` is that of its appliance, "" where there are several; ``until`` is when it ends, by the clock.
        """
        stopped = Stopped(lab, name)
        timer = threading.Timer(
            max(0.0, until - time.monotonic()), stopped.stop, [f"the test took longer than {MOST:.0f} s"]
        )
        timer.daemon = True
        timer.start()
        caller.when_gone(lambda: stopped.stop("whoever asked for the test went away"))
        with self._changed:
            self._tests.add(stopped)
        try:
            yield stopped
        finally:
            timer.cancel()
            with self._changed:
                self._tests.discard(stopped)
                self._changed.notify_all()


@dataclass(eq=False)
class Stopped:
    """Why a test ended before its time, if it did."""

    lab: Lab
    name: str
    """Of its appliance, "" where there are several."""
    why: HarnessError | None = None

    def stop(self, what: str) -> None:
        """End the test, whatever it waits for; from any thread."""
        self.why = self.why or HostFault(what)
        # First, as a machine that is switched on begins with a console of which nothing is known.
        self.lab.abandon()
        if (appliance := self.lab.live(self.name)) is not None:
            appliance.console.abort(self.why)

    def check(self) -> None:
        """Raise the reason, if there is one."""
        if self.why is not None:
            raise self.why


def _report(logs: Path, found: Sequence[Tryout | Versus]) -> Path:
    """Write down what became of a test, beside the logs of its machines."""
    path = logs / REPORT
    path.write_text("".join(f"{one.summary}\n" for one in found), "utf-8")
    return path


def _answer(tryouts: Sequence[Tryout | Versus]) -> Iterator[str]:
    """The lines that the client gets; raises Refusal with them when one has failed."""
    failed = [one for one in tryouts if one.error is not None]
    lines = [one.summary for one in failed]
    if not failed:
        lines += [f"[{one.title}] {line}" for one in tryouts for line in one.log.splitlines()]
    lines += [one.summary for one in tryouts if one.error is None]
    lines += dict.fromkeys(f"report: {one.report}" for one in tryouts)
    if failed:
        status = min(status_of(one.error) for one in failed if one.error is not None)
        raise Refusal(status, "\n".join(lines))
    yield from lines

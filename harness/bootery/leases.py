"""Leases: which client has which bakeries, from its first request to its last, and what it has sent for them.

The protocol has no name for a client: a release says neither who nor what, and a client whose test failed never
releases. So a lease that is through, or of which nothing was heard for long, ends once another wants its bakeries.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from harness.bootery.caller import Caller
from harness.bootery.config import Bakery
from harness.bootery.refusal import CallerGone, Refusal

PATIENCE = 1800.0
"""Seconds that a client waits for bakeries which another has: as long as one test may take."""
BETWEEN = 900.0
"""Seconds between two requests of a client, which packs an image then; one that takes longer is taken for gone."""
RETRY = 30.0
"""The same for a client whose bakeries have all been tried: it may try one of them again."""


@dataclass(eq=False)
class Lease:
    """The bakeries that one client has."""

    bakeries: Sequence[Bakery]
    peer: str
    """The address of the client."""
    folder: Path
    """What it has sent; gone with the lease."""
    slug: str = ""
    last: float = 0.0
    """When its last request ended, by the clock."""
    busy: int = 0
    """How many of its requests are worked on."""
    failed: bool = False
    """Whether a test of it failed, or its client went away in the middle: then that has ended, as a rule."""
    tried: set[str] = field(default_factory=set)

    def root_of(self, bakery: Bakery) -> Path:
        """Where the root file system is kept that was sent for a bakery."""
        return self.folder / f"{bakery.name}.root"

    @property
    def is_through(self) -> bool:
        """Whether all of its bakeries have been tried."""
        return self.tried >= {bakery.name for bakery in self.bakeries}

    @property
    def until(self) -> float:
        """When another may have its bakeries, by the clock, if nothing is heard before."""
        return self.last + (RETRY if self.is_through else BETWEEN)

    def may_end(self, now: float) -> bool:
        """Whether another may have its bakeries."""
        return not self.busy and (self.failed or now >= self.until)

    def __str__(self) -> str:
        return f"{self.slug or ', '.join(bakery.name for bakery in self.bakeries)}, from {self.peer}"


class Leases:
    """The leases of one bootery; ``folder`` makes a new folder by a name."""

    def __init__(self, folder: Callable[[str], Path], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._open: list[Lease] = []
        self._working: set[str] = set()
        """The bakeries for which a request is worked on."""
        self._changed = threading.Condition()

    @property
    def open(self) -> list[Lease]:
        """Those that hold bakeries."""
        with self._changed:
            return list(self._open)

    def use(self, bakeries: Sequence[Bakery], caller: Caller, slug: str, *, patience: float = PATIENCE) -> Lease:
        """Give the caller these bakeries, all at once, when nobody else has one of them any more.

        Raises Refusal after ``patience`` seconds, and CallerGone.
        """
        caller.when_gone(self._look)
        until = self._clock() + patience
        with self._changed:
            while others := self._holders(bakeries):
                if caller.gone.is_set():
                    raise CallerGone("it went away before it had what it wants")
                if (left := until - self._clock()) <= 0:
                    what = "; ".join(map(str, others))
                    raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"waited {patience:.0f} s: others have {what}")
                now = self._clock()
                ends = (one.until - now for one in others if not one.busy)
                self._changed.wait(min(left, max(0.0, min(ends, default=left))))
            lease = Lease(bakeries, caller.address, self._folder("lease"), slug, self._clock())
            self._open.append(lease)
            return lease

    @contextmanager
    def request(self, bakery: Bakery, caller: Caller) -> Iterator[Lease]:
        """The lease that a request for this bakery belongs to, made where there is none; it cannot end meanwhile.

        One request for a bakery at a time. Raises Refusal where another address has it, and CallerGone.
        """
        caller.when_gone(self._look)
        with self._changed:
            self._changed.wait_for(lambda: caller.gone.is_set() or bakery.name not in self._working)
            if caller.gone.is_set():
                raise CallerGone("it went away before its turn came")
            lease = next((one for one in self._open if bakery in one.bakeries), None)
            if lease is None:
                lease = self.use([bakery], caller, "")
            elif lease.peer != caller.address:
                raise Refusal(
                    HTTPStatus.CONFLICT, f"{bakery.name} is in use: {lease}; PUT /usebakeries waits for it"
                )
            lease.busy += 1
            self._working.add(bakery.name)
        try:
            yield lease
        finally:
            with self._changed:
                self._working.discard(bakery.name)
                lease.busy -= 1
                # Whoever goes away in the middle comes back, if at all, as another.
                lease.failed = lease.failed or caller.gone.is_set()
                lease.last = self._clock()
                self._changed.notify_all()

    def release(self, caller: Caller, slug: str = "") -> Lease | None:
        """End the lease that a release means, and return it; None when there is none.

        Of several of one address, it is that which is through, or else that which has been silent for longest.
        """
        with self._changed:
            meant = [
                one for one in self._open if not one.busy and one.peer == caller.address and slug in ("", one.slug)
            ]
            if not meant:
                return None
            lease = min(meant, key=lambda one: (not one.is_through or one.failed, one.last))
            self.end(lease)
            return lease

    def end(self, lease: Lease) -> None:
        """Forget a lease with all that was sent."""
        with self._changed:
            if lease in self._open:
                self._open.remove(lease)
                shutil.rmtree(lease.folder, ignore_errors=True)
            self._changed.notify_all()

    def forget_abandoned(self) -> None:
        """End what nothing was heard of for long."""
        with self._changed:
            now = self._clock()
            for lease in [one for one in self._open if not one.busy and now - one.last >= BETWEEN]:
                self.end(lease)

    def _holders(self, bakeries: Sequence[Bakery]) -> list[Lease]:
        """Who else has one of these bakeries, once those have gone that may end."""
        now = self._clock()
        holding = [one for one in self._open if set(one.bakeries) & set(bakeries)]
        for lease in [one for one in holding if one.may_end(now)]:
            self.end(lease)
        return [one for one in holding if one in self._open]

    def _look(self) -> None:
        with self._changed:
            self._changed.notify_all()

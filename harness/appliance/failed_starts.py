"""FailedStarts: which image did not come up on which board in this run, so that no test waits for it again.

They are kept in a folder that all processes of the run share, never in the cache: the next run boots again. Only
faults of the appliance are kept: after a failure of the host another try may succeed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness import errors
from harness.errors import ApplianceFault, Fault, RequestRefused

FOLDER = "failed-starts"
_KEPT = "gk_logs_of_start"
"""Attribute of an error that is kept already, or comes from one that is: where the logs of that start are."""


@dataclass(frozen=True)
class FailedStart:
    """How a start failed, and where its logs are."""

    kind: str
    """The name of the error's class."""
    what: str
    where: str
    hint: str
    status: int | None
    """The HTTP status, if that is what failed."""
    logs: str
    """The folder with the logs of that appliance."""

    @classmethod
    def of(cls, error: ApplianceFault, logs: Path) -> FailedStart:
        """What is worth keeping of an error."""
        status = error.status if isinstance(error, RequestRefused) else None
        return cls(type(error).__name__, error.what, error.where, error.hint, status, str(logs))

    def error(self) -> ApplianceFault:
        """The same error, for a test that would start it again; only the first one has the evidence."""
        status = {} if self.status is None else {"status": self.status}
        logs = f"the logs of that start are in {self.logs}; --gk-boot-again starts it for each test"
        error: ApplianceFault = getattr(errors, self.kind)(
            f"{self.what} (its first start in this run failed so; it was not started again)",
            where=self.where,
            hint=f"{self.hint}; {logs}" if self.hint else logs,
            **status,
        )
        setattr(error, _KEPT, self.logs)
        return error


def logs_of(error: BaseException | None) -> Path | None:
    """The folder with the logs of the failed start that this error comes of, None where it is of another kind."""
    return next((Path(getattr(one, _KEPT)) for one in errors.causes(error) if hasattr(one, _KEPT)), None)


class FailedStarts:
    """The starts that failed in this run. Its processes share ``folder``; ``note`` gets a line for each failure.

    Without a folder nothing is kept, and each start is one of its own.
    """

    def __init__(self, folder: Path | None, *, note: Callable[[str], None]) -> None:
        self._folder = folder / FOLDER if folder is not None else None
        self._note = note

    def of(self, title: str, **facts: Any) -> Start:
        """The start that has these facts; a failed start counts for every other with the same facts."""
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return Start(title, self._folder / key if self._folder is not None else None, self._note)


class Start:
    """All starts of one image on one board in one way; ``title`` says which, in words."""

    def __init__(self, title: str, file: Path | None, note: Callable[[str], None]) -> None:
        self._title = title
        self._file = file
        self._note = note

    def check(self) -> None:
        """Raise the error with which it failed before in this run, if it did."""
        if self._file is None:
            return
        try:
            failed = FailedStart(**json.loads(self._file.read_text("utf-8")))
        except FileNotFoundError:
            return
        raise failed.error()

    @contextmanager
    def watched(self, logs: Path) -> Iterator[None]:
        """Keep the error that the body raises, if it is the appliance's fault and none is kept yet."""
        try:
            yield
        except ApplianceFault as error:
            blamed = error.fault is Fault.APPLIANCE and not hasattr(error, _KEPT)
            if self._file is not None and blamed and not self._file.exists():
                self._keep(self._file, FailedStart.of(error, logs))
                setattr(error, _KEPT, str(logs))
            raise

    def _keep(self, file: Path, failed: FailedStart) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Another process reads it whole or not at all.
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(asdict(failed)), "utf-8")
        part.rename(file)
        self._note(
            f"{self._title} did not come up: other tests that start it fail at once "
            "(--gk-boot-again starts it for each)"
        )

"""One invariant, checked after each of several events in the life of an appliance.

After the lifecycle tests of Oxide's PHD (propolis, phd-tests/framework/src/lifecycle.rs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Act = Callable[[], object]


def after_each(events: Mapping[str, Act], check: Act) -> None:
    """Have the events happen in their order, and call ``check`` after each; the keys say what happens.

    Whatever an event or the check raises goes on its way with a note that says which event it was. Raises
    ValueError without events: a test that checks nothing must not pass.
    """
    if not events:
        raise ValueError("after_each() has no events, so nothing would be checked")
    for number, (name, happens) in enumerate(events.items(), 1):
        event = f"event {number} of {len(events)}, {name!r}"
        with _noted(f"during {event}"):
            happens()
        with _noted(f"after {event}"):
            check()


@contextmanager
def _noted(note: str) -> Iterator[None]:
    try:
        yield
    # The exceptions of pytest itself, such as that of pytest.fail(), are no Exception.
    except BaseException as error:
        error.add_note(note)
        raise

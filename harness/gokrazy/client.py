"""A gokrazy device over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Literal, TypeAlias

from harness.errors import OptionError, RequestRefused
from harness.gokrazy.logs import FIRST, LogLine, LogStream, Stream
from harness.gokrazy.probe import FINAL, REACH, Probe, Reach
from harness.gokrazy.status import (
    Features,
    ServiceStatus,
    Status,
    parse_features,
    parse_service,
    parse_status,
)
from harness.gokrazy.transport import READ, Answer, Endpoint, Exchange, NoAnswer, Trouble
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll

Signal: TypeAlias = Literal["term", "kill"]
Supervise: TypeAlias = Literal["loop", "once"]

WebNews: TypeAlias = Exchange | Status
"""What a listener gets: each request, and each front page that came."""

JSON = {"Accept": "application/json"}
FEATURES = "/update/features"
TRY = 5.0
"""Seconds that one try of a wait may take, as the ``gok`` tool allows."""
BEGIN = 30.0
"""Seconds for the answer that a reboot begins."""
SIGNAL_DELAY = 100.0
"""Seconds the device gives its services per signal before a reboot (gokrazy update.go, defaultSignalDelay)."""


class Device:
    """A gokrazy device's web interface.

    Every call raises DeviceUnreachable (no answer), AuthenticationRefused (401) or RequestRefused (an error came
    back), and has limits in seconds. ``check`` is called in every wait and before DeviceUnreachable is raised: the
    owner raises there what it knows better, such as a crash on the console.

    ``verify`` is for https: True for the host's authorities, a Path to trust that certificate whatever its name,
    False to trust anybody. The device redirects http to https on its own port number, which a forwarded port has
    not: give ``https_url``, and a wait or ``probe`` that is redirected goes on there, as do all calls after it.
    ``patience`` is how many seconds may pass without a byte of an answer.
    """

    def __init__(
        self,
        url: str,
        *,
        password: str | None,
        user: str = "gokrazy",
        verify: bool | Path = True,
        check: Callable[[], None] | None = None,
        https_url: str | None = None,
        patience: float = READ,
    ) -> None:
        self._endpoint = Endpoint(url, password, user, verify, check, patience)
        self._https = Endpoint(https_url, password, user, verify, check, patience) if https_url else None
        self._listener: Callable[[WebNews], None] | None = None

    def report_to(self, listener: Callable[[WebNews], None]) -> None:
        """Call this with each request and each front page that comes."""
        self._listener = self._endpoint.listener = listener
        if self._https:
            self._https.listener = listener

    def guard_by(self, gate: Callable[[str, str, object], None]) -> None:
        """Ask this before each request, by method, path and form: where it raises, nothing is sent."""
        for endpoint in (self._endpoint, self._https):
            if endpoint:
                endpoint.gate = gate

    @property
    def url(self) -> str:
        """Where the device answers, without user and password."""
        return self._endpoint.url

    @property
    def endpoint(self) -> Endpoint:
        """The connections below, for what this class has no verb for."""
        return self._endpoint

    @property
    def check(self) -> Callable[[], None] | None:
        """Raises what the owner knows about the device's end."""
        return self._endpoint.check

    def __repr__(self) -> str:
        return f"Device({self.url!r})"

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop all connections."""
        self.forget_connections()

    def forget_connections(self) -> None:
        """Drop kept-alive connections, as needed once the device was restarted or restored behind their back."""
        self._endpoint.forget_connections()
        if self._https:
            self._https.forget_connections()

    def over_tls(self) -> Device:
        """Speak https from now on (needs ``https_url``), as after an update to an image with TLS."""
        if self._https is None:
            raise OptionError("no https address of the device is known", where=self.url, hint="pass https_url")
        self._endpoint.forget_connections()
        self._endpoint = self._https
        return self

    @property
    def speaks_tls(self) -> bool:
        """Whether it is known to serve its pages over https."""
        return self._endpoint is self._https

    # what it says

    def probe(self, *, timeout: float = TRY) -> Probe:
        """One cheap try; never raises for what a device may do while it starts."""
        answer = self._endpoint.try_request("GET", "/", headers=JSON, timeout=timeout)
        if isinstance(answer, Answer) and answer.status == 302 and self._https:
            self.over_tls()
            answer = self._endpoint.try_request("GET", "/", headers=JSON, timeout=timeout)
        if isinstance(answer, NoAnswer):
            return Probe(REACH[answer.kind], str(answer), None, self._endpoint.unreachable(answer, "GET /"))
        if answer.status == 200:
            try:
                return Probe(Reach.READY, "200", self._front_page(answer))
            except RequestRefused as error:
                return Probe(Reach.UNUSABLE, error.what, None, error)
        refused = self._endpoint.refused(answer)
        reach = {401: Reach.UNAUTHORISED, 302: Reach.REDIRECTED}.get(answer.status, Reach.UNUSABLE)
        return Probe(reach, refused.what, None, refused)

    def get(
        self, path: str, *, params: Mapping[str, str] | None = None, accept: tuple[int, ...] = (200,)
    ) -> Answer:
        """Any page, as a browser would get it."""
        return self._endpoint.request("GET", path, params=params, accept=accept)

    def status(self) -> Status:
        """The front page."""
        return self._front_page(self._endpoint.request("GET", "/", headers=JSON))

    def _front_page(self, answer: Answer) -> Status:
        status = parse_status(answer.text, self.url)
        if self._listener:
            self._listener(status)
        return status

    def service(self, name: str) -> ServiceStatus:
        """One service by path or last element; raises ServiceMissing that names those that exist."""
        return self.status().service(name)

    def features(self) -> Features:
        """What the update handlers can do."""
        answer = self._endpoint.request("GET", FEATURES, headers=JSON)
        return parse_features(answer.text, self.url)

    def log(self, name: str, stream: Stream = "both") -> LogStream:
        """The service's log: the last 100 lines of each stream, then what it says from now on. To be closed."""
        return LogStream(self._endpoint, self.service(name).path, stream)

    def recent_log(
        self, name: str, stream: Stream = "both", *, quiet: float = 0.5, first: float = FIRST
    ) -> list[LogLine]:
        """What the device still has of the log, whose end is not marked: until ``quiet`` seconds bring nothing.

        An empty log is believed after ``first`` seconds.
        """
        with self.log(name, stream) as log:
            return log.collect(quiet=quiet, limit=10 * quiet + TRY, first=first)

    # what it is asked to do

    def start(self, name: str, *, supervise: Supervise | None = None) -> ServiceStatus:
        """Start a stopped service; one that is not stopped is left alone."""
        service = self.service(name)
        return service if not service.stopped else self._act("/restart", service, None, supervise)

    def stop(self, name: str, *, signal: Signal | None = None) -> ServiceStatus:
        """Stop a service (SIGTERM, or SIGKILL for ``kill``); it may take a while to end."""
        return self._act("/stop", self.service(name), signal, None)

    def restart(
        self, name: str, *, signal: Signal | None = None, supervise: Supervise | None = None
    ) -> ServiceStatus:
        """Signal a running service, which the device starts again a second after its end, or start a stopped one.

        ``supervise="once"`` makes this its last start; anything else makes the device keep it running.
        """
        return self._act("/restart", self.service(name), signal, supervise)

    def _act(
        self, verb: str, service: ServiceStatus, signal: Signal | None, supervise: Supervise | None
    ) -> ServiceStatus:
        """The XSRF dance of gokrazy's xsrf.go: the page sets a cookie, the form repeats it."""
        if signal not in (None, "term", "kill"):
            raise OptionError(f"no signal {signal!r} can be asked for", hint="term or kill")
        if supervise not in (None, "loop", "once"):
            raise OptionError(f"no supervision {supervise!r} can be asked for", hint="loop or once")
        token = self._xsrf_token(service.path)
        form = {"path": service.path, "xsrftoken": token}
        if signal:
            form["signal"] = signal
        if supervise:
            form["supervise"] = supervise
        headers = {"Cookie": f"gokrazy_xsrf={token}"}
        self._endpoint.request("POST", verb, data=form, headers=headers, accept=(303,))
        page = self._endpoint.request("GET", "/status", params={"path": service.path}, headers=JSON)
        return parse_service(page.text, self.url)

    def _xsrf_token(self, path: str) -> str:
        page = self._endpoint.request("GET", "/status", params={"path": path}, headers=JSON)
        for line in page.cookies:
            try:
                cookie = SimpleCookie(line)
            except CookieError:
                continue
            if "gokrazy_xsrf" in cookie:
                return cookie["gokrazy_xsrf"].value
        raise RequestRefused(
            "the status page set no cookie gokrazy_xsrf, without which services cannot be controlled",
            status=page.status,
            where=page.url,
        )

    def reboot(self, *, kexec: bool = True, wait_per_signal: float | None = None) -> str:
        """Ask for a reboot; returns what the device said, some second before it goes down.

        It answers only once its services have ended, each signal having had ``wait_per_signal`` seconds (the
        device's own default is 100). ``kexec=False`` goes through firmware and boot loader.
        """
        return self._power("/reboot", {} if kexec else {"kexec": "off"}, wait_per_signal)

    def begin_reboot(self, *, patience: float = BEGIN) -> None:
        """Ask for a reboot by a way that ends with a service of the device, such as a tailnet.

        A device answers this at once. One of an older gokrazy answers as ``reboot``, when the way may be gone:
        silence for ``patience`` seconds is no error here, so wait for the boot that follows.
        """
        answer = self._ask_power("/reboot", {"async": "true"}, patience)
        if isinstance(answer, NoAnswer) and answer.kind is not Trouble.SILENT:
            self._unheard("/reboot", answer)

    def power_off(self, *, wait_per_signal: float | None = None) -> str:
        """Ask the device to switch itself off; as ``reboot``."""
        return self._power("/poweroff", {}, wait_per_signal)

    def _power(self, path: str, form: dict[str, str], wait_per_signal: float | None) -> str:
        if wait_per_signal is not None:
            form = {**form, "wait_per_signal": f"{wait_per_signal:g}s"}
        delay = SIGNAL_DELAY if wait_per_signal is None else wait_per_signal
        answer = self._ask_power(path, form, 2 * delay + 30)
        if isinstance(answer, NoAnswer):
            self._unheard(path, answer)
            return ""
        return answer.text.strip()

    def _ask_power(self, path: str, form: dict[str, str], patience: float) -> Answer | NoAnswer:
        answer = self._endpoint.try_request("POST", path, data=form, timeout=(TRY, patience))
        self.forget_connections()
        if not isinstance(answer, NoAnswer) and answer.status != 200:
            raise self._endpoint.refused(answer)
        return answer

    def _unheard(self, path: str, answer: NoAnswer) -> None:
        """Raise what is wrong, unless the device was gone before its answer was out: it was heard then."""
        if answer.kind is not Trouble.RESET:
            self._endpoint.raise_cause()
            raise self._endpoint.unreachable(answer, f"POST {path}")

    # waiting for it

    def wait_until_ready(self, timeout: float) -> Status:
        """Until it answers and supervises its services; a refused password ends the wait at once."""
        return self._wait_for_status("the device to answer over HTTP", timeout, lambda _: None)

    def wait_until_it_answers(self, timeout: float) -> float | None:
        """Until it answers at all, with the least that it has to say: for a device that is known to be ready.

        Making the front page costs a device that was just restored more than the restoring did. Returns how many
        seconds its clock is behind this host's, to the second; None where the answer has no date.
        """

        def attempt(deadline: Deadline) -> Done[float | None] | NotYet:
            answer = self._endpoint.try_request("GET", FEATURES, headers=JSON, timeout=deadline.slice(TRY))
            if isinstance(answer, Answer) and answer.status == 200:
                parse_features(answer.text, self.url)
                return Done(_behind(answer))
            if isinstance(answer, Answer):
                # Redirected, or refused: what that means is known there.
                self.wait_until_ready(deadline.left)
                return Done(None)
            self.forget_connections()
            return NotYet(str(answer))

        return poll("the device to answer over HTTP", timeout, attempt, where=self.url, check=self.check)

    def wait_for_build(self, timestamp: str, timeout: float) -> Status:
        """Until the device runs the image with that build timestamp, as after an update."""

        def other(status: Status) -> str | None:
            if status.build_timestamp == timestamp:
                return None
            return f"still build {status.build_timestamp}"

        return self._wait_for_status(f"the device to run build {timestamp}", timeout, other)

    def wait_for_reboot(self, before: Status, timeout: float) -> Status:
        """Until it has been restarted since ``before``, by its services' start times (any build)."""
        first = {one.path: one.started for one in before.services if one.started}
        if not first:
            raise OptionError(
                "a device without started services does not show that it was restarted",
                where=self.url,
                hint="watch its console instead",
            )

        def same(status: Status) -> str | None:
            now = {one.path: one.started for one in status.services if one.started and one.path in first}
            if now and all(first[path] != started for path, started in now.items()):
                return None
            return "it answers, but was not restarted" if now else "its services are not started yet"

        return self._wait_for_status("the device to come back from a restart", timeout, same)

    def wait_until_perm_is_mounted(self, timeout: float) -> Status:
        """Until data in /perm stays, for a device that formats it and reboots before that."""
        return self._wait_for_status(
            "the device to format /perm and come back with it mounted",
            timeout,
            lambda status: None if status.perm_is_mounted else "it answers, and /perm is not mounted",
        )

    def wait_for_service(
        self, name: str, predicate: Callable[[ServiceStatus], bool], timeout: float, *, what: str = ""
    ) -> ServiceStatus:
        """Until ``predicate`` holds for the service; ``what`` says in words what that is."""
        found: list[ServiceStatus] = []

        def other(status: Status) -> str | None:
            service = status.service(name)
            if predicate(service):
                found.append(service)
                return None
            return str(service)

        self._wait_for_status(f"service {name} {what or 'to change its state'}", timeout, other, down=False)
        return found[-1]

    def _wait_for_status(
        self, what: str, timeout: float, other: Callable[[Status], str | None], *, down: bool = True
    ) -> Status:
        def attempt(deadline: Deadline) -> Done[Status] | NotYet:
            # While it may be down, tries are short at first: a connection made before its network is up is found
            # dead only by the limit. They grow, as a busy device may need seconds to answer.
            longest = min(3 * TRY, 1 + deadline.elapsed / 10) if down else TRY
            probe = self.probe(timeout=deadline.slice(longest, least=1.0))
            if probe.status is None:
                self.forget_connections()
                if probe.reach in FINAL and probe.error:
                    self._endpoint.raise_cause()
                    raise probe.error
                return NotYet(probe.seen)
            if not probe.status.supervising:
                return NotYet("it answers, but supervises no services yet")
            instead = other(probe.status)
            return Done(probe.status) if instead is None else NotYet(instead)

        return poll(what, timeout, attempt, where=self.url, check=self.check)


def _behind(answer: Answer) -> float | None:
    """Seconds that the clock of who answered is behind this host's, by the date of the answer."""
    try:
        date = parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError):
        return None
    return round((datetime.now(UTC) - date).total_seconds(), 1)

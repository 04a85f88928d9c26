"""HTTP to one device: every way in which a device can fail to answer has a name."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.cookiejar import Cookie, DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit
from urllib.request import Request

import requests
import urllib3
from requests.adapters import HTTPAdapter

from harness.errors import AuthenticationRefused, DeviceUnreachable, HarnessError, OptionError, RequestRefused

CONNECT = 5.0
"""Seconds for a connection to be accepted."""
READ = 15.0
"""Seconds without a byte of an answer: a device under emulation on a busy host answers within 2."""
BODY_LIMIT = 16 << 20
"""Bytes of an answer that are read: a status page is some 10 kB."""


class Trouble(Enum):
    """Why there was no answer."""

    REFUSED = "connection refused"
    RESET = "connection accepted, then dropped without an answer"
    SILENT = "no answer in time"
    CERTIFICATE = "certificate not trusted"
    NOT_HTTP = "what answers there does not speak HTTP"
    NO_ROUTE = "no way to that address"


@dataclass(frozen=True)
class NoAnswer:
    """The device did not answer: ``kind`` is why, ``text`` what the connection said."""

    kind: Trouble
    text: str

    def __str__(self) -> str:
        return f"{self.kind.value} ({self.text})" if self.text else self.kind.value


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    """From sending the request to the answer's last byte."""
    cookies: tuple[str, ...] = ()
    """Each ``Set-Cookie`` line as it came."""

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Exchange:
    """A request, and what came of it; times are those of ``time.monotonic()``."""

    method: str
    path: str
    """With its parameters, never with what was sent in its body."""
    began: float
    ended: float
    answer: Answer | NoAnswer


class _Basic(requests.auth.AuthBase):
    """Basic authentication whose representation cannot give the password away."""

    def __init__(self, user: str, password: str) -> None:
        # As bytes: the device compares UTF-8, while requests would encode text as Latin-1.
        self._inner = requests.auth.HTTPBasicAuth(user.encode(), password.encode())

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._inner(request)  # adds the header in place
        return request

    def __repr__(self) -> str:
        return "<credentials>"


class _PinnedAdapter(HTTPAdapter):
    """Trusts the given certificate whatever name it was made for.

    A gokrazy certificate carries the device's host name; a forwarded port or an address has another one.
    """

    def __init__(self, certificate: Path) -> None:
        self._certificate = certificate
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        kwargs["ssl_context"] = pinned_context(self._certificate)
        kwargs["assert_hostname"] = False
        super().init_poolmanager(*args, **kwargs)


def pinned_context(certificate: Path) -> ssl.SSLContext:
    """A context that trusts ``certificate`` alone; raises OptionError where the file is of no use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    try:
        context.load_verify_locations(cafile=certificate)
    except OSError as error:  # ssl.SSLError is one
        raise OptionError(
            f"cannot use the certificate: {error.strerror or error}",
            where=str(certificate),
            hint="give a PEM file with the certificate of the device (gokrazy keeps it as cert.pem)",
        ) from None
    return context


@dataclass
class Endpoint:
    """One device's web address with its credentials; owns the connections to it."""

    url: str
    password: str | None = field(default=None, repr=False)
    user: str = "gokrazy"
    verify: bool | Path = True
    check: Callable[[], None] | None = field(default=None, repr=False)
    patience: float = READ
    """Seconds without a byte of an answer, where a request names no others."""
    listener: Callable[[Exchange], None] | None = field(default=None, repr=False)
    """Gets each request and what came of it."""
    gate: Callable[[str, str, object], None] | None = field(default=None, repr=False)
    """Gets method, path and form of each request before that is sent, which it may refuse by raising."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OptionError(
                f"not the web address of a device: {redacted(self.url)!r}",
                hint="give http://HOST:PORT or https://HOST:PORT",
            )
        if self.password is None and parts.password is not None:
            self.password = unquote(parts.password)
            self.user = unquote(parts.username or self.user)
        self.url = redacted(self.url).rstrip("/")
        self._session = self._open_session()

    def _open_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # neither proxies nor ~/.netrc of the host have a say
        session.headers["User-Agent"] = "gokharness"
        session.cookies.set_policy(_NoCookies())
        if self.password is not None:
            session.auth = _Basic(self.user, self.password)
        if isinstance(self.verify, Path):
            session.mount("https://", _PinnedAdapter(self.verify))
            session.verify = str(self.verify)
        else:
            session.verify = self.verify
        return session

    def forget_connections(self) -> None:
        """Drop kept-alive connections: their other end is gone after a reboot or a restore."""
        self._session.close()  # the pools are emptied; the session itself stays usable

    def raise_cause(self) -> None:
        """Raise what the owner knows about the device's end, if it knows: a crash wins over a lost connection."""
        if self.check:
            self.check()

    def try_request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | Iterable[bytes] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | tuple[float, float] | None = None,
    ) -> Answer | NoAnswer:
        """One request; redirects are not followed, and neither status nor silence raises.

        ``timeout`` is in seconds: for the connection and for each wait for bytes.
        """
        if self.gate:
            self.gate(method, path, data)
        began = time.monotonic()
        limit = timeout or (CONNECT, self.patience)
        answer = self._try(method, path, limit, params=params, data=data, headers=headers)
        if self.listener:
            asked = f"{path}?{urlencode(params)}" if params else path
            self.listener(Exchange(method, asked, began, time.monotonic(), answer))
        return answer

    def _try(self, method: str, path: str, timeout: float | tuple[float, float], **sent: Any) -> Answer | NoAnswer:
        if method != "GET":
            # A kept-alive connection may be dead without a sign, and this must not be sent twice: a fresh one.
            self.forget_connections()
        start = time.monotonic()
        url = self.url + path
        with _quiet_about_certificates(self.verify):
            try:
                response = self._session.request(
                    method,
                    url,
                    timeout=timeout,
                    allow_redirects=False,
                    stream=True,
                    **sent,
                )
                with response:
                    body = _read(response)
            except requests.RequestException as error:
                return no_answer_of(error)
            except urllib3.exceptions.HTTPError as error:
                return no_answer_of(error)
            except OSError as error:
                return no_answer_of(error)
        cookies = tuple(response.raw.headers.getlist("Set-Cookie")) if response.raw else ()
        seconds = time.monotonic() - start
        return Answer(method, url, response.status_code, response.headers, body, seconds, cookies)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | Iterable[bytes] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | tuple[float, float] | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> Answer:
        """One request that must succeed; raises DeviceUnreachable, AuthenticationRefused, RequestRefused."""
        for last in (method != "GET", True):
            answer = self.try_request(method, path, params=params, data=data, headers=headers, timeout=timeout)
            if isinstance(answer, NoAnswer) and answer.kind is Trouble.RESET and not last:
                self.forget_connections()  # perhaps only the kept-alive connection was stale
                continue
            break
        if isinstance(answer, NoAnswer):
            self.raise_cause()
            raise self.unreachable(answer, f"{method} {path}")
        if answer.status not in accept:
            raise self.refused(answer)
        return answer

    def unreachable(self, trouble: NoAnswer, doing: str) -> DeviceUnreachable:
        """The error for a device that did not answer."""
        hints = {
            Trouble.REFUSED: "is the device up, and does its web server listen on that port?",
            Trouble.RESET: "the device may still be starting (a forwarded port accepts before the guest listens)",
            Trouble.SILENT: "look at the device's console: it may hang, or its network may be down",
            Trouble.CERTIFICATE: "give the device's own certificate (verify=Path) or verify=False",
            Trouble.NOT_HTTP: "is this the right port? an https port needs an https:// address",
            Trouble.NO_ROUTE: "check the address",
        }
        return DeviceUnreachable(
            f"the device did not answer {doing}: {trouble}",
            where=self.url,
            hint=hints[trouble.kind],
            overdue=trouble.kind is Trouble.SILENT,
        )

    def refused(self, answer: Answer) -> HarnessError:
        """The error for an answer that is not the one that was asked for."""
        what = f"{answer.method} {urlsplit(answer.url).path}"
        if answer.status == 401:
            how = (
                f"refused user {self.user!r} with the given password"
                if self.password is not None
                else "wants a password, and none was given"
            )
            return AuthenticationRefused(
                f"the device {how}: {what} answered 401",
                where=answer.url,
                hint="the password is the instance's Update.HTTPPassword, unless /perm/gokr-pw.txt overrides it",
                evidence=excerpt(answer.text),
            )
        if answer.status in (301, 302, 307, 308):
            return RequestRefused(
                f"{what} was redirected to {answer.headers.get('Location', 'nowhere')}: "
                "the device serves its pages over TLS only",
                status=answer.status,
                where=answer.url,
                hint="use the https:// address (through a forwarded port its number differs from the one named)",
            )
        return RequestRefused(
            f"{what} answered {answer.status}",
            status=answer.status,
            where=answer.url,
            evidence=excerpt(answer.text),
        )


class _NoCookies(DefaultCookiePolicy):
    """Keeps no cookie: a device whose clock says 1970 sets cookies that a jar holds for expired."""

    def set_ok(self, cookie: Cookie, request: Request) -> bool:  # noqa: ARG002
        return False


def redacted(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def excerpt(text: str, limit: int = 600) -> str:
    """What an error quotes of an answer."""
    text = text.strip()
    return text if len(text) <= limit else f"{text[:limit]} ... ({len(text)} characters)"


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(64 << 10):
        body += chunk
        if len(body) > BODY_LIMIT:
            break
    return bytes(body)


@contextlib.contextmanager
def _quiet_about_certificates(verify: bool | Path) -> Iterator[None]:
    """Who says verify=False has decided; urllib3's warning for each request says nothing new."""
    if verify is not False:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        yield


def _chain(error: BaseException) -> list[BaseException]:
    """The error and everything that it wraps, in whichever way requests and urllib3 did so."""
    found: list[BaseException] = []
    queue: list[BaseException] = [error]
    while queue:
        one = queue.pop(0)
        if any(one is seen for seen in found):
            continue
        found.append(one)
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        queue.extend(item for item in inner if isinstance(item, BaseException))
    return found


def no_answer_of(error: BaseException) -> NoAnswer:
    """Why a request failed, from whatever requests, urllib3 or the socket raised."""
    chain = _chain(error)

    def has(*kinds: type[BaseException]) -> BaseException | None:
        return next((one for one in chain if isinstance(one, kinds)), None)

    if bad := has(ssl.SSLCertVerificationError):
        return NoAnswer(Trouble.CERTIFICATE, getattr(bad, "verify_message", "") or str(bad))
    if has(ConnectionRefusedError):
        return NoAnswer(Trouble.REFUSED, "")
    if has(ConnectionResetError, BrokenPipeError, ConnectionAbortedError):  # RemoteDisconnected is one of them
        return NoAnswer(Trouble.RESET, "")
    if has(socket.gaierror):
        return NoAnswer(Trouble.NO_ROUTE, "the name is not known")
    if has(TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError):
        return NoAnswer(Trouble.SILENT, "")
    if tls := has(ssl.SSLError):
        if isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return NoAnswer(Trouble.RESET, "in the TLS handshake")
        return NoAnswer(Trouble.NOT_HTTP, str(getattr(tls, "reason", "") or tls))
    if has(urllib3.exceptions.IncompleteRead):
        return NoAnswer(Trouble.RESET, "in the middle of the answer")
    if broken := has(OSError):
        if isinstance(broken, requests.RequestException):
            broken = chain[-1]
        if isinstance(broken, OSError) and broken.errno is not None:
            return NoAnswer(Trouble.NO_ROUTE, broken.strerror or str(broken))
    return NoAnswer(Trouble.NOT_HTTP, excerpt(str(chain[-1]), 120))

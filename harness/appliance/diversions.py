"""Diversions: what somebody does who works on a program: run it at once, see where its time goes."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

from harness.appliance.assembly import Assembly
from harness.appliance.gok_config import GokConfig, Reached
from harness.appliance.services import Services
from harness.appliance.time_line import Lane
from harness.errors import ApplianceFault, InternalError, OptionError, ServiceMissing, WaitTimeout
from harness.gokrazy.diversion import divert, send_program
from harness.gokrazy.profiles import Kind, fetch_profile
from harness.gokrazy.status import ServiceStatus
from harness.gokrazy.transport import Answer, Endpoint
from harness.gokrazy.update_server import UpdateServer
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll
from harness.image.arch import ARCHITECTURES
from harness.image.gobinary import architecture
from harness.segment.addresses import QEMU_HOST

TRY = 5.0
"""Seconds that one try of a wait may take."""
HEAD = 64
"""Bytes of a program that say what runs it."""


class Diversions(Services):
    """The part of an appliance that is about programs that run on it until it boots again."""

    def __init__(self, made: Assembly) -> None:
        super().__init__(made)
        self._own_flags: dict[str, tuple[str, ...]] = {}
        """Of services that run something else: the flags that they had before."""
        self._private, self._write_gok_config = made.disks, made.gok_config

    def run_instead(self, service: str, program: Path | str, *flags: str) -> ServiceStatus:
        """Run a program of this host in place of a service, as ``gok run`` does, until the next boot.

        It gets the service's flags, then these. A path such as /user/new that no service has makes a new one.
        Returns the service once the program was started; its log is that of the service. Raises OptionError for
        what this device cannot run, ApplianceFault with the service's last words where it is not started.
        """
        program = Path(program)
        self._must_run_here(program)
        before = self._service_at(service)
        if not before.diverted or before.path not in self._own_flags:
            self._own_flags[before.path] = before.args[1:]
        stall = self.budget.upload
        with self.time_line.during(Lane.NOTES, f"{program.name} is to run in place of {before.path}"):
            place = send_program(self.device, program, stall=stall)
            divert(self.device, before.path, place, (*self._own_flags[before.path], *flags), stall=stall)
            return self._until_it_runs(before, place)

    def profile(self, port: int | str, kind: Kind = "profile", *, seconds: float = 5.0) -> Path:
        """Fetch a profile of the Go program that serves net/http/pprof on this port; returns the file.

        ``profile`` and ``heap`` are for ``go tool pprof``, ``trace`` is for ``go tool trace``. The first and the
        last are taken for ``seconds``. Raises OptionError, DeviceUnreachable, RequestRefused.
        """
        number = sum(1 for _ in self.folder.glob(f"{kind}-*.pb")) + 1
        endpoint = Endpoint(self.url(port), check=self.check, patience=self.budget.service)
        with self.time_line.during(Lane.NOTES, f"{kind} of the program at port {port}"):
            return fetch_profile(endpoint, kind, self.folder / f"{kind}-{number}.pb", seconds=seconds)

    def wait_until_served(self, port: int | str, path: str = "/") -> str:
        """Wait until a program answers a GET at this port with 200; returns what it answers.

        A service runs a while before it listens. Raises WaitTimeout that says what came instead.
        """
        endpoint = Endpoint(self.url(port), check=self.check)

        def attempt(deadline: Deadline) -> Done[str] | NotYet:
            answer = endpoint.try_request("GET", path, timeout=deadline.slice(TRY))
            if isinstance(answer, Answer) and answer.status == 200:
                return Done(answer.text)
            endpoint.forget_connections()
            return NotYet(str(answer.status) if isinstance(answer, Answer) else str(answer))

        what = f"a program to answer at port {port}"
        return poll(what, self.budget.service, attempt, where=f"{endpoint.url}{path}", check=self.check)

    def update_server(self) -> UpdateServer:
        """An update server for it, for a ``with`` block; ``url`` is for the device.

        It stands on this host, and so needs ``gk_network("open")``.
        """
        return UpdateServer(lambda port: f"http://{QEMU_HOST}:{port}", check=self.check)

    def gok_config(self) -> GokConfig:
        """Write what ``gok`` needs to talk to it as it is reached now: ``gok_config().command("ps")``.

        It holds the password, and goes with the appliance. After the machine was started anew, write it again: the
        ports may be others. Raises OptionError for a finished image.
        """
        if self._write_gok_config is None:
            raise InternalError("nobody said how gok's configuration is written", where=self.image.hostname)
        folder = self._private / f"gok-{token_hex(4)}"
        reached = Reached(self.device.url, self.running.password or "", folder)
        return self._write_gok_config(self.running, reached)

    def _service_at(self, name: str) -> ServiceStatus:
        try:
            return self.service(name)
        except ServiceMissing:
            if not name.startswith("/"):
                raise
            return ServiceStatus(path=name, args=(), pid=0, started=None, stopped=True)

    def _until_it_runs(self, before: ServiceStatus, place: str) -> ServiceStatus:
        asked = False

        def runs(service: ServiceStatus) -> bool:
            nonlocal asked
            if not service.diverted.endswith(place):
                return False
            # What has ended by itself already was started as well.
            if service.pid not in (0, before.pid):
                return True
            # gokrazy signals what ran before, and takes one that then leaves with 0 for done (supervise.go).
            if service.stopped and not asked:
                asked = True
                self.start(before.path)
            return False

        try:
            return self.wait_for_service(before.path, runs, f"to run {place}")
        except WaitTimeout as error:
            raise ApplianceFault(
                f"{place} did not run in place of {before.path} within {self.budget.service:.0f} s",
                where=self.device.url,
                hint="its log says why; what ran before may ignore SIGTERM, or /tmp may let nothing be executed",
                evidence=f"{error.what}\n{self._last_words(before.path)}",
            ) from error

    def _must_run_here(self, program: Path) -> None:
        try:
            with program.open("rb") as file:
                head = file.read(HEAD)
        except OSError as error:
            raise OptionError(f"the program cannot be read: {error.strerror}", where=str(program)) from None
        arch, wanted = architecture(head), self.running.arch
        narrow = next(one.narrow for one in ARCHITECTURES if one.name == wanted)
        if arch in (wanted, narrow) or head.startswith(b"#!"):
            return
        what = f"it is for {arch}" if arch else "it is neither an ELF program nor a script"
        raise OptionError(
            f"the device cannot run this program: {what}, and the device is {wanted}",
            where=str(program),
            hint=f"build it with GOARCH={wanted} CGO_ENABLED=0",
        )

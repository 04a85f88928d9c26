"""Every error of the harness, and whose fault each one is.

HarnessError
  ApplianceFault            the appliance under test misbehaved: the test is red (pytest's exit status 1)
    BootFailure             it did not come up
      KernelPanic           the kernel gave up
      InitFailure           the kernel could not start init, or init ended
      RebootLoop            it starts again and again
      ConsoleSilence        it says nothing any more
      FirmwareFailure       the boot loader stage found nothing to start
    WaitTimeout             a named wait ran out
    DeviceUnreachable       HTTP or SSH did not answer
    AuthenticationRefused   it refused a password or a key
    RequestRefused          it answered a request with an error
    UpdateMismatch          it received something else than what was sent
    ServiceMissing          it does not run the service that was asked for
    CommandFailed           a command on the device ended with another status than 0
  InternalError             the harness broke its own promise (exit status 10)
  HostFault                 this machine could not carry the run (exit status 11)
    QemuFailed              QEMU did not start, ended by itself, or did not do what was asked of it
      QemuCrashed           a signal ended it that nobody here sent
      QmpSilent             it is there, and does not answer
      AcceleratorFailed     KVM broke under the machine
    HostTooBusy             it did not give QEMU the processor time that the guest's hardware needs
    HostDiskFull            no room for overlays, snapshots or images
    HostMemoryShort         QEMU could not get its memory
    ImageLocked             another process writes to the image
    PortTaken               a port that was asked for is in use
  SetupMissing              something is not installed here (exit status 12)
    ToolMissing             a program is not on PATH or too old
    FirmwareFileMissing     a firmware file that QEMU needs is not there
  UserError                 the input is wrong (pytest's usage error, exit status 4)
    ConfigError             config.json cannot be used as it is
    ImageError              the image file cannot be used
    ModuleUnavailable       a Go module cannot be had
    BuildFailed             a program of the instance does not compile
    BoardMismatch           image and board do not fit each other
    OptionError             an option has a value that makes no sense
    NotOnDevice             a real device cannot or may not do it: the test is skipped

Each message says what happened, where, and what to do about it; ``evidence`` carries what the device
or a tool said, already shortened to what a reader needs.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from enum import Enum

_BEHIND = "gk_behind"
"""Attribute of an error that follows another one."""


class Fault(Enum):
    """Whose fault an error is; the value is the exit status that stands for it."""

    APPLIANCE = 1
    USER = 4
    HARNESS = 10
    HOST = 11
    SETUP = 12


class HarnessError(Exception):
    """The root of all errors.

    ``what`` is one sentence, ``where`` names the place (a file and line, a board, a URL), ``hint`` says what to
    do next, ``evidence`` quotes the device or the tool that was run. ``fault`` follows from the class; see
    ``excuse`` for the exception.
    """

    fault: Fault = Fault.HARNESS
    overdue: bool = False
    """Whether a limit that passed is all that speaks for it: with more time it might not have happened."""

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", evidence: str = "", overdue: bool = False
    ) -> None:
        super().__init__(what)
        self.overdue = self.overdue or overdue
        self.what = what
        self.where = where
        self.hint = hint
        self.evidence = evidence

    def excuse(self, reason: str) -> None:
        """Blame the host instead: it kept whatever failed from doing better, and ``reason`` says how."""
        self.fault = Fault.HOST
        self.hint = f"{reason}; {self.hint}" if self.hint else reason

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.hint:
            lines.append(f"  to do: {self.hint}")
        if self.evidence:
            lines.append("  seen:")
            lines.extend(f"    {line}" for line in self.evidence.splitlines())
        return "\n".join(lines)


class ApplianceFault(HarnessError):
    """The appliance under test misbehaved."""

    fault = Fault.APPLIANCE


class BootFailure(ApplianceFault):
    """The appliance did not come up."""


class KernelPanic(BootFailure):
    """The kernel gave up."""


class InitFailure(BootFailure):
    """The kernel could not start init, or init ended."""


class RebootLoop(BootFailure):
    """The appliance starts again and again."""


class ConsoleSilence(BootFailure):
    """The console says nothing any more, and nothing else answers."""

    overdue = True


class FirmwareFailure(BootFailure):
    """The boot loader stage found nothing that it could start."""


class WaitTimeout(ApplianceFault):
    """A named wait ran out: says what was awaited, how long, and what came instead."""

    overdue = True


class DeviceUnreachable(ApplianceFault):
    """HTTP or SSH on the device did not answer."""


class AuthenticationRefused(ApplianceFault):
    """The device refused a password or a key."""


class RequestRefused(ApplianceFault):
    """The device answered a request with an error; ``status`` is the HTTP status."""

    def __init__(self, what: str, *, status: int, where: str = "", hint: str = "", evidence: str = "") -> None:
        super().__init__(what, where=where, hint=hint, evidence=evidence)
        self.status = status


class UpdateMismatch(ApplianceFault):
    """The digest that the device computed over an upload is not that of what was sent."""


class ServiceMissing(ApplianceFault):
    """The device does not run the service that was asked for."""


class CommandFailed(ApplianceFault):
    """A command on the device ended with another status than 0; ``status`` is that status."""

    def __init__(self, what: str, *, status: int, where: str = "", hint: str = "", evidence: str = "") -> None:
        super().__init__(what, where=where, hint=hint, evidence=evidence)
        self.status = status


class InternalError(HarnessError):
    """The harness broke its own promise: please report it."""

    fault = Fault.HARNESS


class HostFault(HarnessError):
    """This machine could not carry the run."""

    fault = Fault.HOST


class QemuFailed(HostFault):
    """QEMU did not start, ended by itself, or did not do what was asked of it."""


class QemuCrashed(QemuFailed):
    """A signal ended QEMU that nobody here sent."""


class QmpSilent(QemuFailed):
    """QEMU is there, and does not answer within the limit of a command."""


class AcceleratorFailed(QemuFailed):
    """KVM broke under the machine: another accelerator may well run it."""


class HostTooBusy(HostFault):
    """This machine did not give QEMU the processor time that the guest's hardware needs."""


DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of an OSError that a disk is full, or one's share of it."""
SAID_OF_A_FULL_DISK = "(?i:no space left on device|disk quota exceeded)"
"""The same as programs say it: a pattern for what they print."""


class HostDiskFull(HostFault):
    """No room on this machine for overlays, snapshots or images."""


class HostMemoryShort(HostFault):
    """QEMU could not get the memory that the machine needs."""


class ImageLocked(HostFault):
    """Another process writes to the image."""


class PortTaken(HostFault):
    """A port that was asked for is in use."""


class SetupMissing(HarnessError):
    """Something that the run needs is not installed here."""

    fault = Fault.SETUP


class ToolMissing(SetupMissing):
    """A program is not on PATH, or too old."""


class FirmwareFileMissing(SetupMissing):
    """A firmware file that QEMU needs is not there."""


class UserError(HarnessError):
    """The input is wrong."""

    fault = Fault.USER


class ConfigError(UserError):
    """config.json cannot be used as it is."""


class ImageError(UserError):
    """The image file cannot be used."""


class ModuleUnavailable(UserError):
    """A Go module cannot be had."""


class BuildFailed(UserError):
    """A program of the instance does not compile."""


class BoardMismatch(UserError):
    """Image and board do not fit each other."""


class OptionError(UserError):
    """An option has a value that makes no sense."""


class NotOnDevice(UserError):
    """A test wants what a real device cannot do, or may not do in this run: the test is skipped."""


def follow(error: BaseException, cause: HarnessError) -> None:
    """Have an error say first what it came of; kind, fault and hint are those of the cause."""
    setattr(error, _BEHIND, cause)
    if isinstance(error, HarnessError):
        error.what = f"{cause.what}; then: {error.what}"
        error.fault, error.overdue = cause.fault, cause.overdue
        error.hint = cause.hint
        error.evidence = "\n".join(text for text in (cause.evidence, error.evidence) if text)
        return
    error.__cause__ = cause
    # Of what puts its words together by itself, pytest shows the cause above.
    if type(error).__str__ in (BaseException.__str__, OSError.__str__):
        error.args = (f"{cause.what}; then: {error}",)


def behind(error: BaseException) -> HarnessError | None:
    """What an error follows, as ``follow`` was called."""
    found = getattr(error, _BEHIND, None)
    return found if isinstance(found, HarnessError) else None


def fault_of(error: BaseException | None) -> Fault | None:
    """Return whose fault an error is, looking through what caused it; None when it is not the harness's error."""
    found = next((one for one in causes(error) if isinstance(one, HarnessError)), None)
    return found.fault if found is not None else None


def caused_by(error: BaseException | None, kind: type[HarnessError]) -> bool:
    """Whether an error is of this kind, or was caused by one that is."""
    return any(isinstance(one, kind) for one in causes(error))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what caused it, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__

"""What gokrazy's init says; its services do not write to the console."""

from __future__ import annotations

from harness.console.check import Check, Severity

NOTED, INFO = Severity.NOTED, Severity.INFO

CHECKS: tuple[Check, ...] = (
    Check(
        "go-panic",
        r"^panic: .*|^fatal error: .*",
        "a Go program that writes to the console (init, if the kernel panics next) died: {0}",
        NOTED,
        kernel=False,
        example="panic: runtime error: index out of range [3] with length 3",
    ),
    Check(
        "http-panic",
        r"\bhttp: panic serving \S+: (.*)",
        "a request made the web interface panic: {1}",
        NOTED,
        kernel=False,
        example="http: panic serving 10.0.2.2:41344: runtime error: index out of range [3] with length 3",
    ),
    Check(
        "modules-not-loaded",
        r"\bloading modules: (FinitModule.*)",
        "init could not load the modules of the kernel: {1}",
        NOTED,
        kernel=False,
        example="loading modules: FinitModule(/lib/modules/6.12.1/kernel/net/wireguard.ko): exec format error",
    ),
    Check(
        "port-taken",
        # An address that is not ready yet is another matter: init tries again.
        r"\blisten: (listen .*: address already in use)",
        "the web interface gets no port, a program has it: {1}",
        NOTED,
        kernel=False,
        example="listeners.go:115: listen: listen tcp 10.0.2.15:80: bind: address already in use",
    ),
    Check(
        "inactive-root-not-mounted",
        r"\bmount inactive root: (.*)",
        "init could not look at the other root partition: {1}",
        NOTED,
        kernel=False,
        example="mount inactive root: invalid argument",
    ),
    Check(
        "update-failed",
        r"updating \"?([^\s\"]+)\"? failed: (.*)",
        "an upload to {1} was not written: {2}",
        NOTED,
        example='update.go:200: updating "/dev/vda3" failed: unexpected EOF',
    ),
    Check(
        "switch-failed",
        r"(?:switching root partition to|enabling test-boot of new root partition) \S+ failed: (.*)",
        "the switch of the root partition failed: {1}",
        NOTED,
        example="update.go:328: switching root partition to 3 failed: no root=",
    ),
    Check(
        "switch-incomplete",
        r"updating systemd-boot config: (.*)",
        "the switch reached cmdline.txt but not loader/entries/gokrazy.conf, so UEFI boots the old slot: {1}",
        NOTED,
        example="updating systemd-boot config: open /loader/entries/gokrazy.conf: not found",
    ),
    Check(
        "no-serial-shell",
        r"could not start shell: (.*)",
        "input came on the console, but the image has no serial shell (yet): {1}",
        NOTED,
        example="could not start shell: stat /perm/sh: no such file or directory",
    ),
    Check(
        "serial-shell-failed",
        r"runWithCtty: (.*)",
        "the serial shell ended badly: {1}",
        INFO,
        example="runWithCtty: exit status 2",
    ),
    Check(
        "kexec-failed",
        r"kexec reboot failed: (.*)",
        "reboot by kexec failed, a full reset follows: {1}",
        NOTED,
        example="kexec reboot failed: function not implemented",
    ),
    Check(
        "reboot-failed",
        r"could not (reboot|power ?off|halt): (.*)",
        "could not {1}: {2}",
        NOTED,
        kernel=False,
        example="could not reboot: operation not permitted",
    ),
    Check(
        "service-ignores-signals",
        r"some services did not stop(?:, send sigkill| after sigkill)",
        "{0}",
        NOTED,
        example="some services did not stop, send sigkill",
    ),
    Check(
        "watchdog-failed",
        r"hardware watchdog ping failed: (.*)",
        "{0}",
        NOTED,
        example="hardware watchdog ping failed: input/output error",
    ),
    Check(
        "tls-failed",
        r"failed loading certificate.*",
        "the web interface's certificate is unusable: {0}",
        NOTED,
        example="failed loading certificate: tls: private key does not match public key",
    ),
    Check(
        "serving-failed",
        # Where an address went away, init itself closes its server.
        r"\bserving on (\S+:\d+|\S+\.sock): (?!http: Server closed$)(.*)",
        "{0}",
        NOTED,
        example="serving on 10.0.2.15:80: accept tcp: too many open files",
    ),
    Check(
        "perm-not-mounted",
        r"Could not mount permanent storage partition (\S+) as ext4: (.*)",
        "/perm is not mounted from {1}: {2}",
        INFO,
        cause="look at /perm first: what else fails may only follow from it",
        example="Could not mount permanent storage partition /dev/vda4 as ext4: invalid argument",
    ),
)

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
    ),
    Check(
        "update-failed",
        r"updating \"?([^\s\"]+)\"? failed: (.*)",
        "an upload to {1} was not written: {2}",
        NOTED,
    ),
    Check(
        "switch-failed",
        r"(?:switching root partition to|enabling test-boot of new root partition) \S+ failed: (.*)",
        "the switch of the root partition failed: {1}",
        NOTED,
    ),
    Check(
        "switch-incomplete",
        r"updating systemd-boot config: (.*)",
        "the switch reached cmdline.txt but not loader/entries/gokrazy.conf, so UEFI boots the old slot: {1}",
        NOTED,
    ),
    Check(
        "no-serial-shell",
        r"could not start shell: (.*)",
        "input came on the console, but the image has no serial shell (yet): {1}",
        NOTED,
    ),
    Check("serial-shell-failed", r"runWithCtty: (.*)", "the serial shell ended badly: {1}", INFO),
    Check(
        "kexec-failed", r"kexec reboot failed: (.*)", "reboot by kexec failed, a full reset follows: {1}", NOTED
    ),
    Check("reboot-failed", r"could not (reboot|power ?off|halt): (.*)", "could not {1}: {2}", NOTED, kernel=False),
    Check(
        "service-ignores-signals",
        r"some services did not stop(?:, send sigkill| after sigkill)",
        "{0}",
        NOTED,
    ),
    Check("watchdog-failed", r"hardware watchdog ping failed: (.*)", "{0}", NOTED),
    Check(
        "tls-failed", r"failed loading certificate.*", "the web interface's certificate is unusable: {0}", NOTED
    ),
    Check("serving-failed", r"\bserving on (\S+:\d+|\S+\.sock): (.*)", "{0}", NOTED),
    Check(
        "perm-not-mounted",
        r"Could not mount permanent storage partition (\S+) as ext4: (.*)",
        "/perm is not mounted from {1}: {2}",
        INFO,
    ),
)

"""What gokrazy promises its users, in words of our own, and which scenario shows it: makes docs/promises.md.

``python -m harness.tests.promises > docs/promises.md`` writes the page. A scenario names the sentences that it
shows by ``gk_shows``; a sentence that none names is listed as missing.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.package_data import scenarios_folder

PAGE = Path(__file__).parent.parent.parent / "docs" / "promises.md"
PROMISES = {
    "gokrazy's home page": (
        "several Go programs run as services of one image",
        "it runs on a Raspberry Pi, in a virtual machine, and on a PC",
        "nothing runs on it but a small userland in Go",
        "few places can be attacked: nothing listens but what is meant to",
        "the root file system is read-only",
        "a new version overwrites a root file system, and data stays",
        "there is no shell and no SSH server by default",
        "interactive access has to be started first, and lasts until the next reboot",
        "kernel and modules are the ones that were built, and fit each other",
        "firmware files and boot loader of the image start it",
        "all of its parts are Go modules, and the image names each of them",
        "a program can be run on the device without an update (gok run)",
        "programs, and the system, can be profiled and traced",
        "any part can be changed by Go's replace directive",
        "a web interface shows all processes and their state",
        "the web interface stops, starts and restarts processes",
        "breakglass opens SSH for the owner's key only",
        "a static program can be copied to it and run there",
        "a program is built without C, for the device's architecture",
        "an update over the network goes to the other partition, and flips",
        "gok update, the stock client, updates a device",
        "hostname, password and serial console are built into the image",
        "the network is configured by DHCP, without a file",
    ),
    "a user's field report": (
        "init starts and supervises all services, and takes updates over HTTP",
        "an NTP client sets the clock",
        "a service can wait until the clock is set",
        "randomness is saved, and used at the next boot",
        "it boots in seconds",
        "it needs little memory at rest",
        "it takes little room",
        "a program is added by its path in config.json, and an update boots into it",
        "the documented files are the entire system",
        "a service that crashes is started again by itself",
        "an image for another architecture takes a recovery by hand",
        "its hostname is announced over DHCP",
        "mkfs makes a file system on /perm, and data there stays",
        "an image of any size can be written, and started in a virtual machine",
        "there is no login: breakglass is the way in for emergencies",
        "its web interface asks for user name and password",
        "its web interface shows the logs of services",
        "a service gets flags and environment from config.json",
        "it joins a tailnet by an auth key in config.json",
        "it is updated over the tailnet",
        "a service keeps its state in SQLite under /perm",
        "a link shortener answers short addresses on the tailnet",
        "it updates itself from an update server",
        "a guest agent answers the host of a virtual machine",
        "a status program draws on a screen",
    ),
}
HEAD = """# What gokrazy promises, and what shows it

Each sentence of gokrazy's home page, and of the features in a user's field report, in words of our own. Beside it
stands the scenario that goes red when it is not so. The page is printed from the marks `gk_shows` of `scenarios/`,
and a test compares it: `python -m harness.tests.promises`. In brackets stand the tier, if it is nightly, and the
boards, if it runs on some only.
"""


def shown() -> Iterator[tuple[str, str]]:
    """Each sentence that a scenario names, and the scenario with its tier and boards."""
    for path in sorted(scenarios_folder().glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"shown_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        of_all = getattr(module, "pytestmark", [])
        for name, test in vars(module).items():
            if name.startswith("test_"):
                # The mark that is closest to the test comes first, as pytest reads them.
                marks = [*getattr(test, "pytestmark", []), *(of_all if isinstance(of_all, list) else [of_all])]
                where = f"`{path.name}::{name}`{_runs(marks)}"
                yield from ((str(text), where) for mark in marks if mark.name == "gk_shows" for text in mark.args)


def _runs(marks: list[pytest.Mark] | list[pytest.MarkDecorator]) -> str:
    tier = next((str(mark.args[0]) for mark in marks if mark.name == "gk_tier"), "ci")
    boards = [str(name) for mark in marks if mark.name == "gk_board" for name in mark.args]
    words = [*([tier] if tier != "ci" else []), *boards]
    return f" ({', '.join(words)})" if words else ""


def unknown() -> list[str]:
    """The sentences that scenarios name, and that no promise is."""
    known = {text for texts in PROMISES.values() for text in texts}
    return sorted({f"{text} ({where})" for text, where in shown() if text not in known})


def page() -> str:
    """The whole page."""
    by_text: dict[str, list[str]] = {}
    for text, where in shown():
        by_text.setdefault(text, []).append(where)
    parts = [HEAD]
    for source, texts in PROMISES.items():
        missing = sum(text not in by_text for text in texts)
        parts.append(f"\n## {source[0].upper()}{source[1:]}\n\n")
        parts.append(f"{len(texts)} sentences, {missing} of them shown by no scenario.\n")
        parts.append("\n| sentence | shown by |\n| --- | --- |\n")
        parts += [f"| {text} | {'<br>'.join(by_text.get(text, ['**missing**']))} |\n" for text in texts]
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())

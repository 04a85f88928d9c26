"""Ways to break the web interface and the file tree, and what a developer must read then.

Pages are those of a gokrazy that was changed before the image was built: nothing on the device is imitated.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from harness.faults.disk import with_file
from harness.tests.verdict import damage
from harness.tests.verdict.way import Red, Way

GOKRAZY = "github.com/gokrazy/gokrazy"
ASSETS = "internal/assets"
PASSWORD = "test_the_browser_is_asked_for_the_password"
FRONT = "test_the_front_page_lists_all_services_with_their_state"
LOG = "test_a_services_page_shows_its_log_which_goes_on_while_it_is_watched"
BUTTONS = "test_its_buttons_stop_start_and_restart_a_service"
ROOT = "test_the_root_file_system_holds_what_gokrazy_and_the_instance_bring_and_nothing_else"


def with_gokrazy(file: str, before: str, after: str) -> Callable[[Path], None]:
    """An instance with a gokrazy of its own: another text in one of its files."""

    def broken(folder: Path) -> None:
        asked = ["go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", GOKRAZY]
        told = subprocess.run(asked, cwd=folder / "builddir", capture_output=True, text=True, check=True)
        own = folder / "gokrazy"
        shutil.copytree(told.stdout.strip(), own)
        for path in [own, *own.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        text = (own / file).read_text()
        assert before in text
        (own / file).write_text(text.replace(before, after))
        with (folder / "builddir/go.mod").open("a") as go_mod:
            go_mod.write(f"\nreplace {GOKRAZY} => ../gokrazy\n")

    return broken


def pages(harm: str, red: Red, tests: str, file: str, before: str, after: str) -> Way:
    """A page that is broken in one way."""
    return Way(f"web: {harm}", red, instance=with_gokrazy(file, before, after), tests=f"test_web and {tests}")


def wrong(test: str, first: str) -> Red:
    """An assertion of the scenario, which has no hint of its own."""
    return Red(test, "AssertionError", first, "")


def tree(harm: str, first: str, harmed: damage.Damage) -> Way:
    """A finished image with another root file system."""
    return Way(f"files: {harm}", wrong(ROOT, first), damage=harmed, tests="test_files and nothing_else")


def act(name: str, test: str, first: str) -> Way:
    """A test of acts.py that breaks its appliance and then runs a scenario."""
    return Way(f"files: {name}", wrong(test, first), act=test)


PAGES = (
    pages(
        "no password is asked",
        Red(PASSWORD, "Failed", "DID NOT RAISE.*AuthenticationRefused", ""),
        "asked_for",
        "authenticated.go",
        'username != "gokrazy" ||',
        'username == "" &&',
    ),
    pages(
        "another host is asked",
        wrong(FRONT, "127.0.0.2"),
        "front_page",
        f"{ASSETS}/footer.tmpl",
        "</html>",
        "<img src='http://127.0.0.2:9/x.png'></html>",
    ),
    pages(
        "a script falls",
        Red(LOG, "WaitTimeout", "oops is not defined"),
        "shows_its_log",
        f"{ASSETS}/status.js",
        "function unwatch",
        "oops();\nfunction unwatch",
    ),
    pages(
        "the log is not followed",
        Red(LOG, "WaitTimeout", "waited .* for the log of"),
        "shows_its_log",
        f"{ASSETS}/status.js",
        "elt.innerText = txt",
        "elt.title = txt",
    ),
    pages(
        "wider than a narrow window",
        wrong(FRONT, r"div until \d+ of \d+: wide"),
        "front_page",
        f"{ASSETS}/overview.tmpl",
        "<h1>services</h1>",
        '<div style="width:900px">wide</div>',
    ),
    pages(
        "a wrong state",
        wrong(FRONT, "the front page calls .* 'stopped', and it is .*: started"),
        "front_page",
        f"{ASSETS}/overview.tmpl",
        'label-success">running',
        'label-success">stopped',
    ),
    pages(
        "a button that does nothing",
        Red(BUTTONS, "WaitTimeout", "waited .* stopped", ""),
        "buttons",
        f"{ASSETS}/status.tmpl",
        'method="POST" action="/stop"',
        'method="GET" action="/stop"',
    ),
    tree(
        "everybody reads the password",
        "/etc/gokr-pw.txt has mode 0444, and not 0400",
        damage.with_mode("/etc/gokr-pw.txt", 0o444),
    ),
    tree(
        "a program with setuid",
        "/user/hello runs with the rights of its owner",
        damage.with_mode("/user/hello", 0o4755),
    ),
    tree(
        "another content in hosts",
        "/etc/hosts does not have the content",
        damage.root(with_file("/etc/hosts", b"10.0.2.2 localhost\n")),
    ),
    act("the device has another tree than its image", "test_the_tree_is_another_one", "/user/hello is .*4755"),
    act("modules are gone", "test_its_modules_are_gone", "modules of no kernel, and its image of 7"),
    act("programs are hidden by a mount", "test_programs_are_hidden_by_a_mount", r"/user \(tmpfs"),
    act("somebody listens", "test_somebody_listens", "tcp .*2323"),
)

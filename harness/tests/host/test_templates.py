"""The workflow templates: they are valid, and each command line in them is one that gokharness has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.cli import parser_of_all
from harness.commands.arguments import Parser
from harness.options import OPTIONS
from harness.tests.host.templates import ACTION, HARNESS, ROOT, WORKFLOWS, Job, github_calls, gitlab_calls, load

pytestmark = pytest.mark.skipif(not WORKFLOWS.is_dir(), reason="not a clone: there are no workflows")
GITLAB = ("gitlab-kernel.yml", "gitlab-instance.yml")
OURS = ("kernel.yml", "release.yml", "nightly.yml", "github.yml")
SCHEMAS = {
    **{f"ci/workflows/{name}": "vendor.github-workflows" for name in (*OURS, "publish.yml")},
    **{f"ci/workflows/{name}": "vendor.gitlab-ci" for name in GITLAB},
    "ci/action/action.yml": "vendor.github-actions",
}
Calls = Callable[[Path, Path], Iterator[list[str]]]


def fits(schema: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def parsed(call: list[str]) -> str:
    """The command of a call, once the real parser took it with all that goes to pytest."""
    at = call.index("--") if "--" in call else len(call)
    options = parser_of_all().parse_args(call[:at])
    after = Parser(prog="gokharness --", allow_abbrev=False)
    for option in OPTIONS:
        after.add_argument(option.flag, choices=option.choices or None)
    after.parse_args(call[at + 1 :])
    return str(options.command)


def test_each_template_is_tested() -> None:
    named = {Path(name).name for name in SCHEMAS}
    assert {path.name for path in WORKFLOWS.iterdir()} | {"action.yml"} == named


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_template_fits_its_schema(name: str) -> None:
    done = fits(SCHEMAS[name], ROOT / name)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "was", "now"),
    [
        ("kernel.yml", "runs-on:", "run-on:"),
        ("gitlab-kernel.yml", "  script:", "  scripts:"),
    ],
)
def test_a_template_that_is_wrong_does_not(tmp_path: Path, name: str, was: str, now: str) -> None:
    broken = tmp_path / name
    broken.write_text((WORKFLOWS / name).read_text().replace(was, now))
    assert fits(SCHEMAS[f"ci/workflows/{name}"], broken).returncode == 1


@pytest.mark.parametrize(
    ("name", "calls", "commands"),
    [
        ("kernel.yml", github_calls, ["doctor", "bump", "cache"]),
        ("release.yml", github_calls, ["check", "cache"]),
        ("nightly.yml", github_calls, [*["doctor", "check", "cache"] * 3, "doctor", "hardware", "cache"]),
        ("github.yml", github_calls, ["doctor"]),
        ("gitlab-kernel.yml", gitlab_calls, ["doctor", "bump", "cache"]),
        (
            "gitlab-instance.yml",
            gitlab_calls,
            [*["doctor", "check", "cache"] * 2, "doctor", "hardware", "cache"],
        ),
    ],
)
def test_each_command_line_is_one_that_the_parser_takes(
    tmp_path: Path, name: str, calls: Calls, commands: list[str]
) -> None:
    found = list(calls(WORKFLOWS / name, tmp_path))
    assert [parsed(call) for call in found] == commands
    said = "\n".join(" ".join(call) for call in found)
    assert "$" not in said, "something was not filled in"


@pytest.mark.parametrize(
    ("name", "calls", "was", "now"),
    [
        ("kernel.yml", github_calls, "--against=", "--versus="),
        ("kernel.yml", github_calls, "command: bump", "command: check"),
        ("release.yml", github_calls, "--gk-warm off", "--gk-warm never"),
        ("nightly.yml", github_calls, "--gk-tier=", "--gk-tiers="),
        ("gitlab-kernel.yml", gitlab_calls, "--board=", "--bored="),
        ("gitlab-instance.yml", gitlab_calls, "--max-gb", "--most-gb"),
    ],
)
def test_an_option_that_is_not_there_is_found(tmp_path: Path, name: str, calls: Calls, was: str, now: str) -> None:
    broken = tmp_path / name
    text = (WORKFLOWS / name).read_text()
    assert was in text
    broken.write_text(text.replace(was, now))
    found = list(calls(broken, tmp_path / "jobs"))
    with pytest.raises(SystemExit) as caught:
        _ = [parsed(call) for call in found]
    assert caught.value.code == 4


def test_an_input_that_the_action_has_not_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "kernel.yml"
    broken.write_text((WORKFLOWS / "kernel.yml").read_text().replace("subject:", "instance:"))
    with pytest.raises(AssertionError, match="the action has no input"):
        list(github_calls(broken, tmp_path / "jobs"))


def test_only_the_job_that_runs_nothing_of_a_pull_request_may_write() -> None:
    workflow = load(WORKFLOWS / "kernel.yml")
    jobs = workflow["jobs"]
    assert list(workflow["on"]) == ["pull_request"]
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in jobs["bump"]
    assert jobs["comment"]["permissions"] == {"pull-requests": "write"}
    uses = [step.get("uses", "run") for step in jobs["comment"]["steps"]]
    assert uses == ["actions/download-artifact@v4", "actions/github-script@v7"]


# -- what runs a command in a job


def test_a_job_ends_as_its_command_did(tmp_path: Path) -> None:
    job = Job.within(tmp_path)
    done = job.run(
        f"{HARNESS}/ci/action/run", STATUS="1", GITHUB_OUTPUT=str(tmp_path / "output"), GOKHARNESS_COMMAND="bump"
    )
    assert done.returncode == 1
    assert (tmp_path / "output").read_text() == "status=1\n"


def test_an_argument_of_several_words_stays_one_and_what_is_pytest_s_stays_last(tmp_path: Path) -> None:
    job = Job.within(tmp_path)
    arguments = "\n  --allow=oom-kill: the browser is too big; $(touch harm) `x`\r\n\n--\n-k boots and not *\n"
    job.must_run(f"{HARNESS}/ci/action/run", GOKHARNESS_ARGUMENTS=arguments, GOKHARNESS_ARTIFACTS="out")
    (call,) = job.calls()
    assert call == [
        *("check", ".", "--artifacts", "out", "--junit", "out/junit.xml"),
        *("--allow=oom-kill: the browser is too big; $(touch harm) `x`", "--", "-k boots and not *"),
    ]
    assert not (tmp_path / "harm").exists()


def test_another_command_is_refused(tmp_path: Path) -> None:
    done = Job.within(tmp_path).run(f"{HARNESS}/ci/action/run", GOKHARNESS_COMMAND="boot")
    assert done.returncode == 4
    assert done.stderr == "run: the command is check, bump or hardware, not 'boot'\n"


def test_what_was_not_set_up_says_so(tmp_path: Path) -> None:
    job = Job.within(tmp_path)
    shutil.rmtree(tmp_path / HARNESS / ".venv")
    done = job.run(f"{HARNESS}/ci/action/gokharness doctor")
    assert done.returncode == 12
    assert "not set up: run" in done.stderr


@pytest.mark.gk_tier("nightly")
def test_actionlint_has_nothing_to_say(tmp_path: Path) -> None:
    """It reads expressions, contexts, the inputs of our action, and by shellcheck the scripts, where that is."""
    workflows = tmp_path / ".github/workflows"
    shutil.copytree(WORKFLOWS, workflows, ignore=shutil.ignore_patterns("gitlab-*"))
    shutil.copytree(ACTION, tmp_path / HARNESS / "ci/action")
    (tmp_path / ".git").mkdir()
    tool = tmp_path / "actionlint"
    build = ["go", "build", "-mod=readonly", "-o", str(tool), "github.com/rhysd/actionlint/cmd/actionlint"]
    subprocess.run(build, cwd=Path(__file__).with_name("tools"), check=True, env={**os.environ, "GOFLAGS": ""})
    done = subprocess.run([str(tool)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    kernel = workflows / "kernel.yml"
    kernel.write_text(kernel.read_text().replace("subject:", "instance:").replace("pull_request.base", "base"))
    done = subprocess.run([str(tool)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'input "instance" is not defined' in done.stdout

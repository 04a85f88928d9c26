"""What runs the steps of a workflow template for real, up to the harness: that only notes how it was called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS, ACTION = ROOT / "ci/workflows", ROOT / "ci/action"
HARNESS = ".harness"
"""Where the templates have a checkout of this project."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SAMPLES = {
    "github.event.pull_request.base.sha": COMMIT,
    "github.repository": "owner/name",
    "runner.arch": "X64",
}
NOTES = """#!/bin/sh
for one in "$@"; do printf '%s\\0' "$one" >>"$NOTES"; done
printf '\\n\\0' >>"$NOTES"
exit "${STATUS:-0}"
"""
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def load(path: Path) -> Any:
    """What a YAML file says."""
    return YAML(typ="safe", pure=True).load(path.read_text())


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with its expressions replaced; one that is not known here stands, and a parser will see it."""
    return _EXPRESSION.sub(lambda found: values.get(found[1], found[0]), text)


@dataclass
class Job:
    """The folder of a job, with a checkout of the harness: its action is real, ``gokharness`` notes its calls."""

    folder: Path
    notes: Path

    @classmethod
    def within(cls, folder: Path) -> Job:
        """Lay it out in a new folder."""
        harness = folder / HARNESS
        (harness / "ci").mkdir(parents=True)
        shutil.copytree(ACTION, harness / "ci/action")
        noting = [harness / ".venv/bin/gokharness", folder / "opt/gokharness"]
        quiet = [harness / "ci/setup", *(folder / "bin" / name for name in ("apt-get", "curl"))]
        for path, text in [*((one, NOTES) for one in noting), *((one, "#!/bin/sh\n") for one in quiet)]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        return cls(folder, folder / "notes")

    def run(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a step as a runner does."""
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "NOTES": str(self.notes),
            "GITHUB_ACTION_PATH": str(self.folder / HARNESS / "ci/action"),
            **more,
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def calls(self) -> list[list[str]]:
        """How gokharness was called so far."""
        words = self.notes.read_text().split("\0")[:-1] if self.notes.exists() else []
        found: list[list[str]] = [[]]
        for word in words:
            if word == "\n":
                found.append([])
            else:
                found[-1].append(word)
        return found[:-1]

    def act(self, given: Mapping[str, str], values: Mapping[str, str]) -> None:
        """Run the steps of our action with these inputs."""
        action = load(self.folder / HARNESS / "ci/action/action.yml")
        known = {name: str(one.get("default", "")) for name, one in action["inputs"].items()}
        assert set(given) <= set(known), f"the action has no input {set(given) - set(known)}"
        inputs = {f"inputs.{name}": filled(str(given.get(name, usual)), values) for name, usual in known.items()}
        for step in action["runs"]["steps"]:
            if "run" in step:
                env = {name: filled(text, inputs) for name, text in step.get("env", {}).items()}
                self.must_run(step["run"], **env)

    def must_run(self, script: str, **env: str) -> None:
        """Run a step that succeeds."""
        done = self.run(script, **env)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"


def github_calls(path: Path, folder: Path) -> Iterator[list[str]]:
    """How each job of a workflow calls gokharness, for each row of its matrix."""
    workflow = load(path)
    for name, one in workflow["jobs"].items():
        rows = one.get("strategy", {}).get("matrix", {}).get("include") or [{}]
        for number, row in enumerate(rows):
            job = Job.within(folder / f"{name}-{number}")
            values = {**SAMPLES, **{f"matrix.{key}": value for key, value in row.items()}}
            env = {key: filled(str(value), values) for key, value in workflow.get("env", {}).items()}
            for step in one["steps"]:
                if step.get("uses") == f"./{HARNESS}/ci/action":
                    job.act(step["with"], values)
                elif "gokharness " in step.get("run", "") and "pip install" not in step["run"]:
                    script = step["run"].replace("/opt/gokharness/bin/", f"{job.folder}/opt/")
                    job.must_run(script.replace(".venv/bin", f"{HARNESS}/.venv/bin"), **env)
            yield from job.calls()


def gitlab_calls(path: Path, folder: Path) -> Iterator[list[str]]:
    """How each job of a pipeline calls gokharness, for the first row of its matrix."""
    pipeline = load(path)
    usual, shared = pipeline.pop("default", {}), pipeline.pop("variables", {})
    pipeline.pop("stages", None)
    for name, one in pipeline.items():
        job = Job.within(folder / name)
        matrix = {key: value[0] for row in one.get("parallel", {}).get("matrix", []) for key, value in row.items()}
        known = {"CI_PROJECT_DIR": str(job.folder), "CI_MERGE_REQUEST_DIFF_BASE_SHA": COMMIT, **matrix}
        env = {key: _expanded(str(value), known) for key, value in {**shared, **one.get("variables", {})}.items()}
        (job.folder / "gokharness-report").mkdir()
        (job.folder / "gokharness-report/bump.md").touch()
        for part in ("before_script", "script", "after_script"):
            if lines := one.get(part, usual.get(part)):
                job.must_run("\n".join(lines), **known, **env)
        yield from job.calls()


def _expanded(text: str, values: Mapping[str, str]) -> str:
    """A variable of GitLab with those that it names; what is not known here stands, and a parser will see it."""
    return re.sub(r"\$(\w+)", lambda found: values.get(found[1], found[0]), text)

"""A kernel as a commit of a checkout: the files as they were then, and the checkout as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bump.checkout import kernel_folder
from harness.errors import OptionError
from harness.tests.sources import git


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "kernel"
    root.mkdir()
    git(root, "init", "-q")
    for content in ("one", "two"):
        (root / "vmlinuz").write_text(content)
        git(root, "add", ".")
        git(root, "commit", "-qm", content)
        git(root, "tag", content)
    (root / "vmlinuz").write_text("not committed")
    return root


def test_a_commit_is_taken_out_and_the_checkout_stays(checkout: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    for name in ("one", "two", "one"):
        assert (Path(kernel_folder(f"{checkout}@{name}", scratch)) / "vmlinuz").read_text() == name
    assert (checkout / "vmlinuz").read_text() == "not committed"
    assert git(checkout, "status", "--short").strip() == "M vmlinuz"


def test_what_is_no_checkout_is_the_builders_to_read(checkout: Path, tmp_path: Path) -> None:
    for kernel in ("github.com/gokrazy/kernel.amd64@latest", str(checkout), f"{tmp_path}@x"):
        assert kernel_folder(kernel, tmp_path) == kernel


def test_a_commit_that_is_not_there_is_named(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="has no commit 'three'"):
        kernel_folder(f"{checkout}@three", tmp_path)

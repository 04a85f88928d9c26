"""Images of whole parts that do not fit each other are named as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ImageError
from harness.image.load import load_raw
from harness.tests.image import synthetic


def test_a_kernel_for_another_architecture_than_init_s_is_named(tmp_path: Path) -> None:
    path = synthetic.write_image(tmp_path / "mixed.img", tmp_path, kernel=synthetic.arm64_image())
    with pytest.raises(ImageError, match="init is for amd64, but its kernel is for arm64") as caught:
        load_raw(path)
    assert "KernelPackage" in caught.value.hint


def test_a_slot_that_is_empty_is_named(tmp_path: Path) -> None:
    line = synthetic.cmdline("amd", slot=2)
    path = synthetic.write_image(tmp_path / "b.img", tmp_path, line=line)
    with pytest.raises(ImageError, match=r"boots from slot B, by its cmdline\.txt\. .* there is none"):
        load_raw(path)

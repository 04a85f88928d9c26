"""What was tested: each module of an image with its licences."""

from __future__ import annotations

from typing import Any

import pytest

from harness.build.licences import NOT_HERE, Module
from harness.report import tested as module
from harness.report.tested import by_licence


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    def played(modules: Any) -> dict[Module, tuple[str, ...]]:
        return {one: ("MIT",) if one[1] == "v1" else (NOT_HERE,) for one in modules}

    monkeypatch.setattr(module, "licences", played)


@pytest.mark.usefixtures("_known")
def test_each_image_has_its_own_versions() -> None:
    rows = module.tested(
        [{"digest": "1", "modules": {"b": "v1", "a": "v2"}}, {"digest": "2", "modules": {"a": "v1"}}]
    )
    assert rows == [
        {
            "digest": "1",
            "modules": [
                {"path": "a", "version": "v2", "licences": [NOT_HERE]},
                {"path": "b", "version": "v1", "licences": ["MIT"]},
            ],
        },
        {"digest": "2", "modules": [{"path": "a", "version": "v1", "licences": ["MIT"]}]},
    ]
    assert module.tested([]) == []


def test_licences_are_counted_and_what_is_unknown_comes_last() -> None:
    said = [
        [NOT_HERE],
        [NOT_HERE],
        ["MIT", "LICENSE.other (Ask us first)"],
        ["Apache-2.0"],
        ["MIT"],
        ["unknown: else"],
    ]
    assert list(by_licence({"licences": one} for one in said).items()) == [
        *(("MIT", 2), ("Apache-2.0", 1), ("other terms", 1), ("unknown", 3)),
    ]

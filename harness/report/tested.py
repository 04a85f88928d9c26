"""Tested: what each image of a run was made of, down to its modules, their versions and their licences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from harness.build.licences import OWN_TERMS, UNKNOWN, licences

OTHER = "other terms"
"""How a licence is counted that has no name."""


def tested(images: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a journal told of images, as the document has it: with a row a module, and its licences.

    The licences are those of the sources in this computer's module cache.
    """
    images = list(images)
    known = licences(module for image in images for module in image["modules"].items())
    return [
        {
            **image,
            "modules": [
                {"path": path, "version": version, "licences": list(known[path, version])}
                for path, version in sorted(image["modules"].items())
            ],
        }
        for image in images
    ]


def by_licence(modules: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many modules are under each licence, the most frequent first; what has no name comes last."""
    count = Counter(_title(licence) for one in modules for licence in one["licences"])
    last = (OTHER, UNKNOWN)
    return dict(
        sorted(count.items(), key=lambda row: (last.index(row[0]) + 1 if row[0] in last else 0, -row[1], row[0]))
    )


def _title(licence: str) -> str:
    return UNKNOWN if licence.startswith(UNKNOWN) else OTHER if OWN_TERMS in licence else licence

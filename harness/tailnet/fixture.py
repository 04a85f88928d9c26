"""The fixture ``tailnet``, and what it changes of the appliance of its test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import ModuleUnavailable
from harness.run.second import LAB_OF, families_of

if TYPE_CHECKING:
    from harness.appliance.wanted import Wanted
    from harness.build.instance import Instance
    from harness.tailnet.tailnet import Tailnet

NAME = "tailnet"
PROGRAM: pytest.StashKey[Path] = pytest.StashKey()


@pytest.fixture
def tailnet(request: pytest.FixtureRequest) -> Iterator[Tailnet]:
    """A tailnet of this test's own, which its appliance reaches, and nothing else (docs/tailnet.md)."""
    from harness.lab.folders import slug
    from harness.tailnet.tailnet import Tailnet, build

    config = request.config
    lab = config.stash[LAB_OF]()
    if PROGRAM not in config.stash:
        try:
            config.stash[PROGRAM] = build(lab.folders.folder(NAME))
        except ModuleUnavailable as error:
            pytest.skip(error.what)
    logs = lab.settings.artifacts / NAME
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{slug(request.node.nodeid)}.log"
    with Tailnet(config.stash[PROGRAM], folder=lab.folders.folder(NAME), log=log, auth_key=_key(request)) as one:
        yield one


def with_tailnet(request: pytest.FixtureRequest, wanted: Wanted) -> Wanted:
    """What a test asks of its appliance, with the doors to its tailnet if it has one."""
    if NAME not in request.fixturenames:
        return wanted
    net = request.getfixturevalue(NAME)
    return replace(wanted, doors=net.doors)


def _key(request: pytest.FixtureRequest) -> str:
    """The auth key in the instance under test, "" where that is not known: anybody may join then."""
    lab = request.config.stash[LAB_OF]()
    if lab.settings.image is not None:
        return ""
    board = request.getfixturevalue("board")
    named = [family for family, _ in families_of(request.node)]
    keys = {"" if Path(one).is_file() else _key_in(lab.images.instance(board, one)) for one in named}
    # The control server knows one key: where two appliances have one each, it takes any.
    return keys.pop() if len(keys) == 1 else ""


def _key_in(instance: Instance) -> str:
    """The auth key of an instance, "" where it has none."""
    for package in instance.config.package_config.values():
        for said in (*package.command_line_flags, *package.environment):
            name, _, value = said.partition("=")
            if name.lstrip("-") in ("auth-key", "authkey", "TS_AUTHKEY", "TS_AUTH_KEY"):
                return value
    return ""

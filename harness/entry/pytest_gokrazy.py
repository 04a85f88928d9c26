"""pytest's way to the plugin, which also works in a repository that has a package ``harness`` of its own.

Only one package can have a name. Where it is somebody else's, that one keeps it, and ours is loaded as
``gokrazy_harness``: the same files, with their imports of each other under that name.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import pytest

NAME = "harness"
OTHER_NAME = "gokrazy_harness"


def _our_folder() -> Path:
    here = Path(__file__).resolve().parent
    # In a wheel this file lies beside the package, in a clone two folders deep within it.
    return here / NAME if (here / NAME / "plugin.py").is_file() else here.parent


FOLDER = _our_folder()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:  # noqa: ARG001
    """Register the plugin, which then adds its options; not if ``-p harness.plugin`` did."""
    if not pluginmanager.has_plugin(f"{NAME}.plugin"):
        pluginmanager.register(load(pluginmanager.get_plugin("pytestconfig")), "gokrazy-plugin")


def load(config: pytest.Config | None) -> ModuleType:
    """The plugin's module, under the name that is free in this run."""
    if not is_taken(config):
        return importlib.import_module(f"{NAME}.plugin")
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
    return importlib.import_module(f"{OTHER_NAME}.plugin")


def is_taken(config: pytest.Config | None) -> bool:
    """Whether somebody else's ``harness`` was imported, is found first, or will be by the tests of this run."""
    if NAME in sys.modules:
        return not _is_ours(getattr(sys.modules[NAME], "__path__", ()))
    spec = PathFinder.find_spec(NAME)
    found_first = spec is not None and not _is_ours(spec.submodule_search_locations or ())
    if config is None or (found_first and not _runs_our_scenarios(config)):
        return found_first
    if found_first and spec is not None:
        raise pytest.UsageError(
            f"the scenarios import the package harness, and another one is found first, {spec.origin}: "
            "run gokharness or pytest instead of python -m, which puts the current folder first"
        )
    return not _runs_our_scenarios(config) and any(_has_another(folder) for folder in _importable(config))


def _runs_our_scenarios(config: pytest.Config) -> bool:
    ours = (FOLDER / "data" / "scenarios", FOLDER.parent / "scenarios")
    return any(path.resolve().is_relative_to(folder) for path in _tests(config) for folder in ours)


def _is_ours(folders: Sequence[str]) -> bool:
    return any(Path(folder).resolve() == FOLDER for folder in folders)


def _has_another(folder: Path) -> bool:
    package = folder / NAME
    if package.resolve() == FOLDER:
        return False
    return package.with_suffix(".py").is_file() or next(package.glob("*.py"), None) is not None


def _importable(config: pytest.Config) -> Iterator[Path]:
    """The folders that pytest may yet put on sys.path for the tests of this run."""
    root, here = config.rootpath, config.invocation_params.dir
    yield from (root, here, root / "src", *config.getini("pythonpath"))
    for path in (*_tests(config), *(root / path for path in config.getini("testpaths"))):
        yield from (folder for folder in (path, *path.parents) if folder.is_relative_to(root))


def _tests(config: pytest.Config) -> list[Path]:
    """The tests' files and folders that the command line names."""
    named = [str(argument).partition("::")[0] for argument in config.invocation_params.args]
    paths = [config.invocation_params.dir / name for name in named if name and not name.startswith("-")]
    # Not by Path.exists, which raises for an argument that is no path and too long for one: a long -k.
    return [path for path in paths if os.path.exists(path)]  # noqa: PTH110


class Finder(MetaPathFinder):
    """Finds our modules under the other name, and theirs under the one that we have as well."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Where the module is, if it is one of these."""
        if fullname == NAME:
            # A package without __init__.py would lose against ours, wherever that lies.
            others = [entry for entry in sys.path if (Path(entry) / NAME).resolve() != FOLDER]
            return PathFinder.find_spec(NAME, others)
        first, *rest = fullname.split(".")
        if first != OTHER_NAME:
            return None
        folder = FOLDER.joinpath(*rest)
        within = [str(folder)] if (folder / "__init__.py").is_file() else None
        file = folder / "__init__.py" if within else folder.with_suffix(".py")
        if not file.is_file():
            return None
        loader = Loader(fullname, str(file))
        return spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=within)


class Loader(SourceFileLoader):
    """Has our modules import each other under the other name."""

    def get_code(self, fullname: str) -> CodeType:
        """The module's code; it is not kept, or it would be taken for that of the file as it stands."""
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == NAME:
                node.module = OTHER_NAME + node.module.removeprefix(NAME)
        return compile(tree, path, "exec", dont_inherit=True)

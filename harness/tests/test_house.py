"""The map of the packages holds: imports point down, no circles, no file or function that grew too long.

``python harness/tests/test_house.py`` prints the counts.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.tests.sources import imported

HARNESS = Path(__file__).parent.parent
FLOORS = (
    "__main__ entry",
    "plugin cli",
    "commands",
    "report",
    "bundle",
    "bootery",
    "tailnet",
    "run hand bump",
    "lab",
    "options host faults",
    "appliance build",
    "machine console gokrazy",
    "firmware",
    "boards",
    "image",
    "store lifetime package_data option segment",
    "errors __init__",
)
"""From the roof down. A package imports from the floors below its own: not from above, not from beside."""
ONLY_BY = {
    "report": "plugin cli commands",
    "hand": "plugin commands",
    **dict.fromkeys(("bootery", "faults", "host"), "commands"),
}
"""Who alone may import it, of all that lie above."""
FREE_OF = {"gokrazy": "firmware boards image", "console": "firmware boards image"}
"""What a package does without, although that lies below."""
MOST_LINES, MOST_PARAMETERS, MOST_AT_THE_TOP = 400, 7, 8

Function = ast.FunctionDef | ast.AsyncFunctionDef
Pairs = set[tuple[str, str]]


class House:
    """The modules of the harness but its tests, by name, and who imports whom."""

    def __init__(self) -> None:
        self.trees = {
            name_of(path): ast.parse(path.read_text())
            for path in HARNESS.rglob("*.py")
            if path.relative_to(HARNESS).parts[0] != "tests"
        }
        self.arrows = {(name, other) for name in self.trees for other in self.imported_by(name)}

    def imported_by(self, name: str) -> set[str]:
        """The modules that one imports: late, and for its types only, as well."""
        found = imported(self.trees[name])
        ours = {one.removeprefix("harness.") for one in found if one.partition(".")[0] == "harness"}
        return {one if one in self.trees else one.rpartition(".")[0] or "__init__" for one in ours} - {name}

    def wrong_arrows(self) -> Pairs:
        """Imports from above or from beside, and of what others alone may import."""
        floor = {package: number for number, row in enumerate(FLOORS) for package in row.split()}

        def is_wrong(one: str, two: str) -> bool:
            others_only = two in ONLY_BY and one not in ONLY_BY[two].split()
            return floor[one] >= floor[two] or others_only or two in FREE_OF.get(one, "").split()

        packages = {pair: tuple(name.partition(".")[0] for name in pair) for pair in self.arrows}
        return {pair for pair, (one, two) in packages.items() if one != two and is_wrong(one, two)}

    def in_circles(self) -> set[str]:
        """The modules that import themselves by way of others."""
        reached = defaultdict(set)
        for name, other in self.arrows:
            reached[name].add(other)
        for middle in self.trees:
            for name in self.trees:
                if middle in reached[name]:
                    reached[name] |= reached[middle]
        return {name for name in self.trees if name in reached[name]}

    def too_wide(self) -> set[str]:
        """Functions and constructors with too many parameters; a hook of pytest has those that pytest gives."""
        return {
            f"{name}.{owner}{function.name}"
            for name, tree in self.trees.items()
            for owner, function in functions(tree)
            if parameters(function) > MOST_PARAMETERS and not function.name.startswith("pytest_")
        }

    def shared_names(self) -> set[str]:
        """The public names of classes and functions that more than one module defines."""
        kinds = ast.ClassDef | ast.FunctionDef
        count = Counter(node.name for tree in self.trees.values() for node in tree.body if isinstance(node, kinds))
        return {name for name, times in count.items() if times > 1 and not name.startswith("_")}


def name_of(path: Path) -> str:
    """The name of a module within the harness; that of a package for its ``__init__``."""
    name = ".".join(path.relative_to(HARNESS).with_suffix("").parts)
    return name.removesuffix(".__init__")


def functions(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, Function]]:
    """Every function, with what it stands in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield owner, node
        named = isinstance(node, Function | ast.ClassDef)
        yield from functions(node, f"{owner}{node.name}." if named else owner)  # type: ignore[attr-defined]


def parameters(function: Function) -> int:
    """How many there are, without ``self``."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return sum(one.arg not in ("self", "cls") for one in every)


def too_long() -> set[str]:
    """The files above the limit, tests included."""
    files = HARNESS.rglob("*.py")
    return {str(path.relative_to(HARNESS)) for path in files if path.read_text().count("\n") > MOST_LINES}


def at_the_top() -> set[str]:
    """The files that lie loose."""
    return {path.name for path in HARNESS.glob("*.py")}


@pytest.fixture(scope="module")
def house() -> House:
    return House()


def test_every_package_has_its_floor(house: House) -> None:
    assert {name.partition(".")[0] for name in house.trees} <= set(" ".join(FLOORS).split())


def test_imports_point_down(house: House) -> None:
    assert sorted(house.wrong_arrows()) == []


def test_no_module_imports_itself_by_way_of_others(house: House) -> None:
    assert sorted(house.in_circles()) == []


def test_no_file_is_too_long() -> None:
    assert sorted(too_long()) == []


def test_no_function_has_too_many_parameters(house: House) -> None:
    assert sorted(house.too_wide()) == []


def test_few_files_lie_loose() -> None:
    assert len(at_the_top()) <= MOST_AT_THE_TOP, at_the_top()


def main() -> None:
    """Print the counts, and what they count."""
    house = House()
    for title, found in (
        ("imports from above or beside", {" -> ".join(pair) for pair in house.wrong_arrows()}),
        ("modules in circles", house.in_circles()),
        (f"files above {MOST_LINES} lines", too_long()),
        (f"functions with more than {MOST_PARAMETERS} parameters", house.too_wide()),
        ("files at the top of harness/", at_the_top()),
        ("names defined in more than one module", house.shared_names()),
    ):
        print(f"{len(found):4} {title}")
        for one in sorted(found):
            print(f"       {one}")


if __name__ == "__main__":
    main()

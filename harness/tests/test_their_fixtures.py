"""Somebody else's tests: a fixture or an argument called ``board`` is theirs, and nothing is started for it."""

from __future__ import annotations

import pytest

THEIRS = """
import pytest

class TestTheirs:
    @pytest.fixture
    def board(self):
        return "chess"

    def test_fixture(self, board):
        assert board == "chess"

@pytest.mark.parametrize("board", ["draughts", "go"])
def test_argument(board):
    assert board in ("draughts", "go")

@pytest.mark.parametrize(["size", "board"], [(9, "go")])
def test_arguments(board, size):
    assert (size, board) == (9, "go")
"""
ON_OURS = """
import pytest

@pytest.fixture
def board(board):
    return board.name

def test_name(board):
    assert isinstance(board, str)
"""


def test_a_board_of_their_own_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(THEIRS)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=4)
    result.stdout.no_fnmatch_line("*gokrazy:*")
    assert not (pytester.path / ".gokharness").exists()


def test_a_board_made_of_ours_runs_on_each_of_ours(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ON_OURS)
    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--collect-only", "-q", "--gk-board=virt,pc-bios"
    )
    result.stdout.fnmatch_lines(["*test_name?virt?", "*test_name?pc-bios?"])


def test_a_test_may_say_which_of_our_boards_it_means(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("board", ["virt"], indirect=True)
        def test_there(board):
            assert board.name == "virt"
    """)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_there?virt?"])
    result.stdout.no_fnmatch_line("*pc-bios*")

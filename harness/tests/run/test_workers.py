"""What the workers of one run share."""

from pathlib import Path

import pytest

SHARES = """
import pathlib
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(4))
def test_shares(request, number):
    shared = pathlib.Path(request.config.workerinput["gk_shared"])
    assert shared.stat().st_mode & 0o077 == 0
    (shared / request.config.workerinput["workerid"]).touch()
    pathlib.Path("told").open("a").write(f"{shared}\\n")
"""


def test_all_workers_get_the_same_folder_and_it_goes_with_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shares=SHARES)
    done = pytester.runpytest_subprocess("-n", "2", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=4)
    (shared,) = set((pytester.path / "told").read_text().splitlines())
    assert not Path(shared).exists()

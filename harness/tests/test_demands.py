"""Known deviations: tolerated for exactly the version they name, and red once they are gone."""

import pytest

from harness.demands import demand
from harness.deviations import Deviation
from harness.errors import ApplianceFault

TABLE = (Deviation("modules-fit", "example.org/kernel", "v1", "they do not"),)


def test_an_unmet_demand_that_is_known_is_tolerated_and_kept() -> None:
    seen: dict[str, str] = {}
    with demand("modules-fit", {"example.org/kernel": "v1"}, seen, TABLE):
        assert "vmlinuz" in seen
    assert seen == {"modules-fit (example.org/kernel@v1)": "they do not"}


@pytest.mark.parametrize("error", [AssertionError, ApplianceFault])
def test_an_unmet_demand_at_another_version_is_red(error: type[Exception]) -> None:
    seen: dict[str, str] = {}
    with pytest.raises(error), demand("modules-fit", {"example.org/kernel": "v2"}, seen, TABLE):
        raise error("red")
    assert seen == {}


def test_a_deviation_that_is_gone_is_red() -> None:
    with (
        pytest.raises(AssertionError, match="is gone: delete its row"),
        demand("modules-fit", {"example.org/kernel": "v1"}, {}, TABLE),
    ):
        pass


def test_an_error_of_another_kind_is_never_tolerated() -> None:
    with pytest.raises(ZeroDivisionError), demand("modules-fit", {"example.org/kernel": "v1"}, {}, TABLE):
        raise ZeroDivisionError

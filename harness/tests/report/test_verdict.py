"""The exit status: red never looks green, and the host's failures are not the appliance's."""

from typing import Any

import pytest

from harness.errors import Fault
from harness.report.verdict import Verdict


def verdict(**values: Any) -> Verdict:
    skipped = values.pop("skipped", {})
    left_out = values.pop("left_out", {})
    faults = values.pop("faults", {})
    result = Verdict(**values)
    result.skipped.update(skipped)
    result.left_out.update(left_out)
    result.faults.update(faults)
    return result


@pytest.mark.parametrize(
    ("status", "made", "expected"),
    [
        (0, {"ran": 3}, 0),
        (1, {"ran": 3}, 1),
        (1, {"ran": 3, "faults": {Fault.APPLIANCE: 1}}, 1),
        (1, {"ran": 3, "faults": {Fault.APPLIANCE: 1, Fault.HOST: 1}}, 11),
        (1, {"ran": 3, "faults": {Fault.HARNESS: 1, Fault.HOST: 1, Fault.SETUP: 1}}, 12),
        (1, {"faults": {Fault.HARNESS: 1}}, 10),
        (0, {"ran": 0, "skipped": {"no breakglass": 2}}, 5),
        (0, {"ran": 1, "skipped": {"no breakglass": 2}}, 0),
        (0, {"ran": 1, "left_out": {"whether data stays": 1}}, 0),
        (0, {"ran": 1, "left_out": {"whether data stays": 1}, "strict": True}, 1),
        (0, {"ran": 1, "skipped": {"no breakglass": 2}, "strict": True}, 1),
        (2, {"ran": 1, "faults": {Fault.HOST: 1}}, 2),
        (3, {"ran": 1, "faults": {Fault.HOST: 1}}, 3),
        (4, {}, 4),
        (5, {}, 5),
    ],
)
def test_exit_status(status: int, made: dict[str, Any], expected: int) -> None:
    assert verdict(**made).exit_status(status) == expected

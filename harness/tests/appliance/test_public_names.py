"""What scenarios may use of an appliance: a name that goes away breaks tests of other people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.tests.appliance.played import appliance

PAGE = Path(__file__).resolve().parents[3] / "docs" / "appliance.md"
NAMES = """
agent applies attempts board boot_files boot_times booted_again breakglass browser budget build can capture
check check_modules check_sbom check_service checkpoint clock_behind close cold_boot cold_start
connect_breakglass console correct_clock cut_power demand deviations device device_with_password downtimes
edit_boot_file excerpts expected explain explained files first_slot first_start flip folder foreign_key
gok_config image image_files image_sbom install is_emulated isolated keep_picture knows_time left_out listening
log_server log_stream look_at_screen memory_at_rest memory_left missing mount_devices mounts network_from_within
no_key odd_files odd_listeners odd_mounts pictures port power power_off power_on profile put_back
read_boot_files read_clock read_perm reboot remarks restart restore resume rewind room run_instead running runs
sbom screen screenshot seed_inactive send_root service set_clock set_password shell slot ssh_command start
start_breakglass status stop take_snapshot time_line time_server trouble_with update update_boot_only
update_server update_with uploaded url voice wait_for_boot wait_for_service wait_until_at_rest wait_until_calm
wait_until_it_runs wait_until_mounted wait_until_quiet wait_until_ready wait_until_runs_anew wait_until_served
wait_until_settled wait_until_shown wait_until_stopped write_perm
"""


def test_an_appliance_has_these_names_and_no_others(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    assert {name for name in {*dir(type(subject)), *vars(subject)} if not name.startswith("_")} == {*NAMES.split()}


@pytest.mark.skipif(not PAGE.is_file(), reason="not a clone: there is no page to compare with")
def test_the_page_lists_each_of_them() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)[`(]", row)]
    assert sorted(listed) == NAMES.split()

"""Bill of materials: what the device says that it is made of is what was built, and it can be computed again."""

import hashlib
from pathlib import Path

import pytest

from harness.build.extrafiles import configured
from harness.build.instance import load_instance
from harness.image.sbom_check import has_sbom, sbom_of, sbom_troubles

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_any_firmware, pytest.mark.gk_needs("http", "image")]


@pytest.fixture
def bill(appliance):
    """What the image says that it is made of, read from its file."""
    if not has_sbom(appliance.image):
        pytest.skip("not applicable: the image has no bill of materials")
    try:
        return sbom_of(appliance.image)
    except ValueError as error:
        pytest.fail(f"the bill of materials in the image {error}")


@pytest.mark.gk_shows("all of its parts are Go modules, and the image names each of them")
def test_the_web_interface_names_the_bill_of_materials_of_the_image(appliance, bill):
    assert bill.hash == bill.computed
    assert appliance.status().sbom_hash == bill.hash
    page = appliance.device.get("/").text
    assert bill.hash[:10] in page, "the front page does not show it"


@pytest.mark.gk_shows("all of its parts are Go modules, and the image names each of them")
@pytest.mark.gk_needs("breakglass")
def test_the_bill_of_materials_on_the_device_is_that_of_the_image(appliance, bill):
    assert appliance.sbom().document == bill.document


@pytest.mark.gk_shows("all of its parts are Go modules, and the image names each of them")
def test_the_bill_of_materials_names_each_program_module_and_extra_file(appliance, bill):
    assert sbom_troubles(appliance.image) == []
    if bill.programs is not None:
        services = {service.path for service in appliance.status().services}
        assert services <= {one.path for one in bill.programs}
        # The version of Go itself, too: a hole in its library is one in each program.
        assert all(one.modules.get("std", "").startswith("go") for one in bill.programs)
    if appliance.image.instance:
        named = {one.sha256 for one in bill.files}
        for extra in configured(load_instance(appliance.image.instance)):
            if extra.origin is not None and isinstance(getattr(extra.node, "content", None), Path):
                assert hashlib.sha256(extra.origin.read_bytes()).hexdigest() in named, extra.dest

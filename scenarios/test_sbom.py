"""Bill of materials: what the device says that it is made of is what was built, and it can be computed again."""

import pytest

pytestmark = [
    pytest.mark.gk_tier("ci"),
    pytest.mark.gk_any_firmware,
    pytest.mark.gk_needs("http", "image"),
    pytest.mark.gk_shows("all of its parts are Go modules, and the image names each of them"),
]


@pytest.fixture
def bill(appliance):
    """What the image says that it is made of, read from its file."""
    made = appliance.image_sbom()
    if made is None:
        pytest.skip("not applicable: the image has no bill of materials")
    return made


def test_the_web_interface_names_the_bill_of_materials_of_the_image(appliance, bill):
    assert bill.hash == bill.computed
    assert appliance.status().sbom_hash == bill.hash
    assert bill.hash[:10] in appliance.device.get("/").text, "the front page does not show it"


@pytest.mark.gk_needs("breakglass")
def test_the_bill_of_materials_on_the_device_is_that_of_the_image(appliance, bill):
    assert appliance.sbom().document == bill.document


def test_the_bill_of_materials_names_each_program_module_and_extra_file(appliance, bill, extra_files):
    appliance.check_sbom()
    if bill.programs is not None:
        assert {service.path for service in appliance.status().services} <= {one.path for one in bill.programs}
        # The version of Go itself, too: a hole in its library is one in each program.
        assert all(one.modules.get("std", "").startswith("go") for one in bill.programs)
    # Of a finished image nobody knows what its instance brought along.
    named = {one.sha256 for one in bill.files}
    lacks = [str(file) for file, digest in extra_files(appliance.image).items() if digest not in named]
    assert not lacks, f"the bill of materials does not name {', '.join(lacks)}"

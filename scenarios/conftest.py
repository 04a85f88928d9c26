"""What the scenarios share beyond the plugin's fixtures."""

import hashlib
import json
import platform
import subprocess
from pathlib import Path

import pytest
import requests

from harness.appliance.limits import Limits
from harness.boards import boards
from harness.build.extrafiles import configured
from harness.build.go import GoToolchain
from harness.build.inputs import GOKRAZY
from harness.build.instance import load_instance
from harness.build.one_program import build_one
from harness.build.own_program import build_own_program
from harness.errors import ToolMissing
from harness.faults.disk import with_file
from harness.image.arch import of_machine
from harness.image.digest import content_digest
from harness.image.gaf import write_gaf
from harness.image.model import Extent, UpdateFiles
from harness.image.repacking import pack_root
from harness.image.squashfs import SquashFs
from harness.image.update_files import update_files
from harness.lab.equipment import own_ports
from harness.lab.sizes import own_image, slower
from harness.package_data import images_folder
from harness.plugin import LAB, SETTINGS

NOTE = "/perm/gokharness-note"
TABLES = 34 * 512
"""Bytes before the first partition: boot code, both partition tables."""


def pytest_collection_modifyitems(config, items):
    """The project's own image is what others are compared with: it is not slower than itself."""
    own = [one for one in items if one.name.startswith("test_it_boots_no_slower_than_its_limit")]
    if own and config.stash[SETTINGS].is_own:
        config.hook.pytest_deselected(items=own)
        items[:] = [one for one in items if one not in own]


@pytest.fixture
def own_program(tmp_path):
    """Builds one of the project's own programs for an architecture: ``own_program("visitor", "arm64")``."""

    def build(name, arch):
        try:
            return build_own_program(name, arch, tmp_path / name)
        except ToolMissing as error:
            pytest.skip(f"this host has no Go to build {name} with: {error.what}")

    return build


@pytest.fixture
def probe(appliance, own_program):
    """A small static program for the appliance's architecture, built from the project's own source."""
    return own_program("probe", appliance.image.arch)


def files_of_bill(image):
    """The files that an image's instance has in ExtraFilePaths and its bill must name, each with its digest."""
    if not image.instance:
        return {}
    instance = load_instance(image.instance)
    # What comes out of an archive is not named one by one.
    extras = [one for one in configured(instance) if isinstance(getattr(one.node, "content", None), Path)]
    if image.builder == "gok":
        # It packs the files of every PackageConfig, and names those of the packages that it builds with.
        config = instance.config
        packages = [*config.packages, *config.gokrazy_packages, config.flags.init_pkg or GOKRAZY]
        packages += [config.kernel_package, config.firmware_package, config.eeprom_package]
        named = {package.partition("@")[0] for package in packages}
        extras = [one for one in extras if one.package in named]
    return {one.origin: hashlib.sha256(one.origin.read_bytes()).hexdigest() for one in extras}


@pytest.fixture
def extra_files():
    """Gives the files of ExtraFilePaths that the bill of an image must name, with their digests."""
    return files_of_bill


@pytest.fixture
def lab(request):
    """What the tests of this process share."""
    return request.config.stash[LAB]


@pytest.fixture
def most(lab, board):
    """Gives the limit of this name (gk_limits); skips where there is none."""
    limits = lab.settings.most
    if limits == Limits() and lab.settings.is_own:
        name = lab.images.image(board, "hello").hostname
        own = json.loads((images_folder() / "limits.json").read_text("utf-8"))
        limits = Limits(**own[name] | own.get(f"{name} on {board.name}", {}))

    def limit(name):
        if getattr(limits, name) is None:
            pytest.skip(f"not applicable: no limit is set for it (gk_limits, {name}: NUMBER)")
        return getattr(limits, name)

    return limit


@pytest.fixture
def beside_own(lab):
    """Boots an appliance's image and the project's own by turns, until one is slower or is not."""

    def compare(appliance, limit):
        board = appliance.board
        return slower(lab, board, (appliance.image, own_image(lab, board)), limit)

    return compare


@pytest.fixture
def foreign_image(lab, board):
    """The project's own image ``hello`` for another architecture than the board's."""
    if not lab.settings.is_own:
        pytest.skip("not applicable: it needs the project's own image for another architecture")
    other = next(one for one in boards() if one.arch != board.arch and not one.boot_files)
    return lab.images.image(other, "hello")


@pytest.fixture
def hello():
    """Gets a page from the program that the project's own images run: ``hello(appliance, "/clock")``."""
    port, *_ = own_ports()

    def page(appliance, path):
        answer = requests.get(appliance.url(str(port), path), timeout=appliance.budget.service)
        answer.raise_for_status()
        return answer.text

    return page


@pytest.fixture
def leave_note():
    """A function that leaves a note in /perm, and returns one that checks that the note is still there.

    Where the image has no breakglass or no /perm, there is no note, and the report says what was left out.
    """

    def leave(appliance, text, *, looks_at="whether data in /perm is kept"):
        applies = appliance.applies(looks_at, "breakglass", "perm")
        if applies:
            with appliance.breakglass() as rescue:
                rescue.put_bytes(text, NOTE)

        def check_note():
            if applies:
                with appliance.breakglass() as rescue:
                    assert rescue.get_bytes(NOTE) == text

        return check_note

    return leave


@pytest.fixture
def go(appliance):
    """Go's own tools on this host: ``go("pprof", "-top", file)``."""
    try:
        return GoToolchain.find(arch=appliance.image.arch, build_env={}).tool
    except ToolMissing as error:
        pytest.skip(f"this host has no Go to look at profiles with: {error.what}")


@pytest.fixture
def stock(own_program):
    """The small program around github.com/gokrazy/updater; ``appliance.update_with(image, stock)``."""
    program = own_program("stock-update", of_machine(platform.machine()))

    def update(order):
        what = {"URL": order.url, "Password": order.password, "Kexec": True}
        what |= {"Root": str(order.files.root), "Boot": str(order.files.boot), "MBR": str(order.files.mbr)}
        done = subprocess.run([program], input=json.dumps(what), capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr

    return update


def read_partitions(appliance, folder):
    """What is on the disk of an appliance that is off, but /perm, as digests."""
    layout = appliance.image.layout
    places = {name: getattr(layout, name) for name in ("boot", "root_a", "root_b")}
    found = {}
    for name, place in {"tables": Extent(0, TABLES), **places}.items():
        part = appliance.power.overlay.extract(place, folder / name)
        found[name] = content_digest(part)
        part.unlink()
    return found


@pytest.fixture
def partitions(tmp_path):
    """Reads what is on the disk of an appliance that is off, but /perm, as digests: ``partitions(appliance)``."""
    return lambda appliance: read_partitions(appliance, tmp_path)


@pytest.fixture
def heartbeat(appliance, tmp_path):
    """gokrazy's own heartbeat, which the images have too, but without a server to send to."""
    instance = load_instance(images_folder() / f"hello-{appliance.image.arch}")
    return build_one(instance, "github.com/gokrazy/gokrazy/cmd/heartbeat", tmp_path / "heartbeat").program


def make_release(image, folder):
    """An archive of an image whose instance was changed, as its bill of materials says; with that one's hash."""
    files = update_files(image, folder)
    document = json.loads(SquashFs(files.root).read("/etc/gokrazy/sbom.json"))
    digest = document["sbom_hash"][::-1]
    document["sbom_hash"] = document["sbom"]["config_hash"]["hash"] = digest
    edit = with_file("/etc/gokrazy/sbom.json", json.dumps(document).encode())
    changed = folder / "changed"
    changed.mkdir()
    archive = folder / "disk.gaf"
    assert write_gaf(UpdateFiles(pack_root(image, edit, changed), files.boot, files.mbr), archive) == digest
    return archive, digest


@pytest.fixture
def release(next_image, tmp_path):
    """What an update server offers: an archive of the next image, and the hash of its bill of materials."""
    return make_release(next_image, tmp_path)

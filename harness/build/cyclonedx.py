"""The bill of materials of an image as CycloneDX, which tools for licences and known holes read.

The library is that of the CycloneDX project (cyclonedx-python-lib); it comes with ``pytest-gokrazy[sbom]``.
"""

from __future__ import annotations

import datetime
import uuid
from typing import TYPE_CHECKING

from harness.build.licences import UNKNOWN, licences
from harness.errors import ToolMissing
from harness.image.digest import sha256_of
from harness.image.model import Image
from harness.image.sbom import LOCAL, STANDARD_LIBRARY, Hashed, Listed, Sbom

if TYPE_CHECKING:
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

SUFFIX = ".cdx.json"
"""What the CycloneDX project has such files end with."""
_NAMESPACE = uuid.UUID("60c24cc1-f3f9-427a-8199-000000000000")
"""For serial numbers: the same image has the same one."""


def cyclonedx(image: Image, bill: Sbom) -> str:
    """The document, in JSON; the same for the same image. Raises ToolMissing without the library."""
    try:
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.tool import ToolRepository
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError:
        raise ToolMissing(
            "the library that writes CycloneDX is not installed",
            hint="pip install pytest-gokrazy[sbom]; a file that ends otherwise gets gok's own form",
        ) from None
    whole = _image(image, bill)
    modules = _modules({**bill.modules, **image.modules})
    programs = [_program(one) for one in bill.programs or ()]
    files = [_file(one) for one in bill.files]
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, f"{image.digest} {bill.hash}"),
        components=[*modules.values(), *programs, *files],
    )
    bom.metadata.component = whole
    bom.metadata.tools = ToolRepository()
    if image.build:
        bom.metadata.timestamp = datetime.datetime.fromisoformat(image.build)
    bom.register_dependency(whole, [*programs, *files, *_beyond(modules, bill)])
    for listed, program in zip(bill.programs or (), programs, strict=True):
        bom.register_dependency(program, [modules[name] for name in listed.modules])
    return JsonV1Dot6(bom).output_as_string(indent=2)


def _beyond(modules: dict[str, Component], bill: Sbom) -> list[Component]:
    """The modules that are in no program: kernel, firmware, EEPROM."""
    within = {name for one in bill.programs or () for name in one.modules}
    return [one for name, one in modules.items() if name not in within]


def _image(image: Image, bill: Sbom) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentType

    said = {"gokrazy:sbom_hash": bill.hash, "gokrazy:kernel": image.kernel.release, "gokrazy:arch": image.arch}
    return Component(
        name=image.hostname,
        version=image.build or None,
        type=ComponentType.FIRMWARE,
        bom_ref="image",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256_of(image.path))],
        properties=[Property(name=name, value=value) for name, value in said.items()],
    )


def _modules(versions: dict[str, str]) -> dict[str, Component]:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    known = licences(versions.items())
    made = {}
    for path, version in sorted(versions.items()):
        # Of one that is replaced, the name of the other stands before the version: that one is in the image.
        other, _, exact = version.rpartition(" ")
        name = other or path
        is_local = version in ("", "(devel)", LOCAL)
        folder, _, last = name.rpartition("/")
        if name == STANDARD_LIBRARY:
            folder, last, exact = "", "stdlib", version.removeprefix("go")
        made[path] = Component(
            name=name,
            version=None if is_local else exact,
            type=ComponentType.LIBRARY,
            bom_ref=f"module {path}",
            purl=None if is_local else PackageURL("golang", folder or None, last, exact),
            licenses=_licences(known[path, version]),
        )
    return made


def _licences(names: tuple[str, ...]) -> list[License]:
    from cyclonedx.contrib.license.factories import LicenseFactory

    make = LicenseFactory()
    return [make.make_from_string(name) for name in names if not name.startswith(UNKNOWN)]


def _program(one: Listed) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        name=one.path,
        type=ComponentType.APPLICATION,
        bom_ref=f"program {one.path}",
        properties=[Property(name="gokrazy:build_id", value=one.build_id)],
    )


def _file(one: Hashed) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        name=one.path,
        type=ComponentType.FILE,
        bom_ref=f"file {one.path} {one.sha256[:16]}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one.sha256)],
    )

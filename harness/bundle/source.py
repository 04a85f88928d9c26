"""Where the image of a bundle is to be had on this computer, and whether it is the one that failed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.build.subject import option_of
from harness.bundle.manifest import Manifest, Subject
from harness.errors import BoardMismatch, OptionError
from harness.image.model import Image
from harness.options import OPTIONS
from harness.package_data import images_folder

OF_THE_RUN = frozenset(
    {"artifacts", "cache", "bundle", "list", "shard", "repeat", "warm", "next-image", "from", "record"}
)
"""Options that say nothing of one machine; warm starts make no difference to one that is restored."""
FLAG = "--image"
"""Of ``gokharness repro`` alone: pytest has another one for each of the two."""
_GIVE = f"give the image, or the instance that it is built from: gokharness repro BUNDLE {FLAG} FILE|INSTANCE"
MODULES = 10
"""Modules that an error names."""


def options_for(manifest: Manifest, given: str, said: Mapping[str, object]) -> dict[str, object]:
    """The options of the failed run that matter to its machine, for this computer; raises OptionError.

    ``given`` is the image or instance that somebody named, "" for that which the bundle names. ``said`` are the
    command's own options by ini names: they come first.
    """
    left_out = {option.ini for option in OPTIONS if option.name in OF_THE_RUN}
    values = {name: value for name, value in manifest.options.items() if name not in left_out}
    values |= source(manifest, given)
    for name in ("gk_ssh_key", "gk_password_file"):
        if not Path(str(values.get(name, ""))).is_file():
            # The bundle may have a key of its own, and a password is asked for by what needs it.
            values.pop(name, None)
    return {
        **values,
        "gk_accel": manifest.qemu.accelerator,
        **{name: value for name, value in said.items() if value},
    }


def source(manifest: Manifest, given: str) -> dict[str, object]:
    """The options that name the image here."""
    subject = manifest.subject
    of_older = manifest.wanted.get("family") == "from"
    values: dict[str, object] = {"gk_image": None, "gk_instance": None}
    found = given or _place(manifest)
    if subject.builder in ("gok", "own"):
        values["gk_builder"] = subject.builder
    if not found:
        # The project's own images of this board: nothing is named, as in the run.
        return values
    path = Path(found).expanduser().absolute()
    # Only gok may know an instance of that name.
    word = str(path) if path.exists() else found
    if of_older:
        return {**values, "gk_from": word}
    return {**values, option_of(path): word}


def _place(manifest: Manifest) -> str:
    """Where the bundle says that the image is, "" for one of the project's own; raises OptionError."""
    subject, said = manifest.subject, manifest.options
    if subject.own:
        named = said.get("gk_from" if manifest.wanted.get("family") == "from" else "gk_instance")
        return str(images_folder() / subject.own) if named else ""
    place = subject.file or subject.instance
    if not place or not Path(place).exists():
        what = "image" if subject.file else "instance"
        raise OptionError(
            f"the {what} of this bundle is not on this computer", where=place or subject.hostname, hint=_GIVE
        )
    return place


def must_be_the_image(manifest: Manifest, image: Image) -> None:
    """Raise BoardMismatch unless this is the image that the failed appliance ran."""
    subject = manifest.subject
    if image.digest == subject.digest:
        return
    here = Subject.of(image, own="", file="")
    differ = [
        f"{name}: {subject.modules.get(name, 'none')}, here {image.modules.get(name, 'none')}"
        for name in sorted({*subject.modules, *image.modules})
        if subject.modules.get(name) != image.modules.get(name)
    ]
    hint = f"{_GIVE}; or go on without its disk and memory: --rerun"
    raise BoardMismatch(
        "this is another image than the one that failed",
        where=str(image.path),
        hint=hint,
        evidence="\n".join([f"failed: {subject}", f"here:   {here}", *differ[:MODULES]]),
    )

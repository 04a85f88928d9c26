"""An Image as JSON, for the cache: everything but its path, its instance and its password."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.build.cache import CacheEntry
from harness.build.instance import Instance
from harness.image.model import Breakglass, Extent, Image, Kernel, Layout, Service

_LEFT_OUT = ("path", "password", "instance")


def to_record(image: Image) -> dict[str, Any]:
    """What is worth remembering of an image."""
    record = dataclasses.asdict(image)
    for name in _LEFT_OUT:
        del record[name]
    record["modules"] = dict(image.modules)
    return record


def image_of(entry: CacheEntry, instance: Instance) -> Image:
    """The image of a cache entry, as this instance makes it; the instance's notes go before those that it had."""
    record = entry.meta
    values = {field.name: record[field.name] for field in dataclasses.fields(Image) if field.name in record}
    layout = {name: Extent(**place) if place else None for name, place in record["layout"].items()}
    kernel = dict(record["kernel"])
    kernel["modules"] = tuple(kernel["modules"])
    kernel["drivers"] = tuple(kernel["drivers"])
    values.update(
        path=entry.disk,
        password=instance.password,
        instance=str(instance.folder),
        layout=Layout(**layout),  # type: ignore[arg-type]  # only perm may be None
        kernel=Kernel(**kernel),
        services=tuple(Service(**{**service, "args": tuple(service["args"])}) for service in record["services"]),
        breakglass=Breakglass(**record["breakglass"]) if record["breakglass"] else None,
        boot_files=tuple(record["boot_files"]),
        extra_files=None if (extras := record.get("extra_files")) is None else tuple(extras),
        notes=(*instance.notes, *(note for note in record["notes"] if note not in instance.notes)),
    )
    return Image(**values)

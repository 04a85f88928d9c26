"""What of an appliance is secret: whether its disk and memory may go into a bundle, and what no text may say."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.appliance.time_line import SHORTEST_SECRET
from harness.build.config import Config
from harness.build.instance import Instance, load_instance
from harness.errors import HarnessError
from harness.image.model import Image
from harness.package_data import images_folder

SHORTEST_VALUE = 6
"""The same of the value of a flag or variable, which may be such a word as ``true`` or ``http``."""
SHORTEST_LINE = 8
"""The same of a line of a secret file."""


@dataclass(frozen=True)
class Secrets:
    """The secrets of one image."""

    reason: str = ""
    """Why its disk and memory are its owner's to give away; "" where all its secrets are throw-away ones."""
    words: tuple[str, ...] = field(default=(), repr=False)

    def with_those_of(self, others: Iterable[Secrets]) -> Secrets:
        """The same with the words of others, whose disks and memory do not go in."""
        return replace(self, words=_longest_first((*self.words, *(word for one in others for word in one.words))))

    def hide(self, text: bytes) -> bytes:
        """The text with a star for each byte of a secret: offsets into it stay what they are."""
        for word in self.words:
            secret = word.encode()
            text = text.replace(secret, b"*" * len(secret))
        return text


def own_name(image: Image) -> str:
    """The name of the project's own instance that it was built from, "" if it is of another one."""
    folder, ours = Path(image.instance).resolve(), images_folder().resolve()
    return str(folder.relative_to(ours)) if image.instance and folder.is_relative_to(ours) else ""


def secrets_of(image: Image) -> Secrets:
    """The secrets of this image, as far as its instance says them."""
    if own_name(image):
        return Secrets()
    given = tuple(_of_password(image.password))
    if image.builder == "given" or not image.instance:
        return Secrets("the image was given as a file, and may have secrets of its owner", _longest_first(given))
    try:
        instance = load_instance(image.instance)
    except HarnessError as error:
        return Secrets(f"its instance cannot be read any more ({error.what})", _longest_first(given))
    words = (*given, *_of_password(instance.password), *_of_config(instance.config))
    return Secrets(_reason(instance), _longest_first(words))


def _reason(instance: Instance) -> str:
    config = instance.config
    packages = config.package_config.values()
    has = {
        "a password": instance.password is not None,
        "a certificate": instance.certificate is not None,
        "CommandLineFlags": any(one.command_line_flags for one in packages),
        "Environment": any(one.environment for one in packages),
        "ExtraFileContents": any(one.extra_file_contents for one in packages),
        "ExtraFilePaths": any(one.extra_file_paths for one in packages),
        "files of an older layout": instance.old_layout,
    }
    found = [title for title, is_there in has.items() if is_there]
    return f"the instance has {', '.join(found)}" if found else ""


def _of_password(password: str | None) -> Iterator[str]:
    if password:
        yield password
        # As HTTP sends it.
        yield base64.b64encode(f"gokrazy:{password}".encode()).decode()


def _of_config(config: Config) -> Iterator[str]:
    yield from config.update.key_pem.splitlines()
    for package in config.package_config.values():
        for entry in (*package.command_line_flags, *package.environment):
            yield entry
            if len(value := entry.partition("=")[2]) >= SHORTEST_VALUE:
                yield value
        for content in package.extra_file_contents.values():
            yield content
            yield from (line.strip() for line in content.splitlines() if len(line.strip()) >= SHORTEST_LINE)


def _longest_first(words: tuple[str, ...]) -> tuple[str, ...]:
    """Those that can be looked for; one that contains another is hidden whole."""
    return tuple(sorted({word for word in words if len(word) >= SHORTEST_SECRET}, key=len, reverse=True))

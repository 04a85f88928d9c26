"""What an image's instance says that nobody else may read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.bundle.secret import Secrets, own_name, secrets_of
from harness.image.model import Builder, Image
from harness.package_data import images_folder
from harness.tests.image.plain import PLAIN


def image(instance: Path | str = "", builder: Builder = "own", password: str | None = None) -> Image:
    return replace(PLAIN, instance=str(instance), builder=builder, password=password)


def instance(folder: Path, *, no_password: bool = True, **config: Any) -> Path:
    """The folder of an instance that has no secret but what a test gives it."""
    update: dict[str, Any] = {"NoPassword": True} if no_password else {"HTTPPassword": "the password"}
    facts = {
        **{"Hostname": "mine", "Environment": ["GOARCH=arm64"], "Packages": ["example.org/hello"]},
        **{"KernelPackage": "github.com/gokrazy/kernel.arm64", "FirmwarePackage": "", "EEPROMPackage": ""},
        **{"PackageConfig": {"example.org/hello": {"DontStart": True}}, "Update": update, **config},
    }
    (folder / "config.json").write_text(json.dumps(facts))
    return folder


def test_the_project_s_own_instances_have_throw_away_secrets_only() -> None:
    own = image(images_folder() / "hello-arm64", password="test-password")
    assert secrets_of(own) == Secrets()
    assert own_name(own) == "hello-arm64"


def test_a_given_image_keeps_its_disk_and_its_password(tmp_path: Path) -> None:
    found = secrets_of(image(builder="given", password="hunter2"))
    assert "given as a file" in found.reason
    assert found.hide(b"the hunter2 password") == b"the ******* password"
    # echo -n 'gokrazy:hunter2' | base64
    assert found.hide(b"Basic Z29rcmF6eTpodW50ZXIy") == b"Basic " + b"*" * 20
    assert own_name(image(builder="given")) == ""


def test_an_instance_without_secrets_gives_all_away(tmp_path: Path) -> None:
    assert secrets_of(image(instance(tmp_path))) == Secrets()
    assert own_name(image(tmp_path)) == ""


def test_a_password_of_somebody_s_own_is_hidden_also_as_http_sends_it(tmp_path: Path) -> None:
    found = secrets_of(image(instance(tmp_path, no_password=False)))
    assert found.reason == "the instance has a password"
    # echo -n 'gokrazy:the password' | base64
    said = b"the password; Basic Z29rcmF6eTp0aGUgcGFzc3dvcmQ="
    assert found.hide(said) == b"************; Basic " + b"*" * 28


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"CommandLineFlags": ["-token=planted-secret"]}, "CommandLineFlags"),
        ({"Environment": ["TOKEN=planted-secret"]}, "Environment"),
        ({"ExtraFileContents": {"/etc/key": "begin\n  planted-secret\nend"}}, "ExtraFileContents"),
    ],
)
def test_what_a_package_is_given_counts_as_secret(tmp_path: Path, config: dict[str, Any], kind: str) -> None:
    found = secrets_of(image(instance(tmp_path, PackageConfig={"example.org/hello": config})))
    assert found.reason == f"the instance has {kind}"
    said = b"it said planted-secret to me"
    hidden = found.hide(said)
    assert hidden == b"it said ************** to me"
    assert len(hidden) == len(said), "or the index of the console would lead elsewhere"


def test_short_words_of_flags_are_no_secrets(tmp_path: Path) -> None:
    flags = {"CommandLineFlags": ["-v", "-debug=true", "-scheme=http"]}
    found = secrets_of(image(instance(tmp_path, PackageConfig={"example.org/hello": flags})))
    assert found.hide(b"true: http -v") == b"true: http -v"
    assert found.hide(b"run with -debug=true") == b"run with ***********"


def test_an_instance_that_is_gone_gives_nothing_away(tmp_path: Path) -> None:
    found = secrets_of(image(tmp_path / "gone", password="hunter2"))
    assert "cannot be read any more" in found.reason
    assert found.hide(b"hunter2") == b"*******"


def test_secrets_are_not_in_their_own_representation(tmp_path: Path) -> None:
    assert "hunter2" not in repr(secrets_of(image(builder="given", password="hunter2")))

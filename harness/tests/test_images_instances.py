"""The instances in images/: a family differs in named fields alone, pins the same versions, and holds no key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.tests.go_checks import must_pass, unformatted

IMAGES = Path(__file__).parents[2] / "images"
PROGRAMS = IMAGES / "programs"
SERVICES = IMAGES / "services"
ADDONS = IMAGES / "addons"
FAMILIES = {
    "hello": ("hello-amd64", "hello-arm64", "hello-rpi"),
    "crasher": ("crasher-amd64", "crasher-arm64", "crasher-rpi"),
    "field": ("field-amd64", "field-arm64"),
    "tailnet": ("tailnet-amd64", "tailnet-arm64"),
    "tailnet-links": ("tailnet-links-amd64", "tailnet-links-arm64"),
}
TAILNET = (*FAMILIES["tailnet"], *FAMILIES["tailnet-links"])
"""Tailscale's module wants other versions of what it shares with gokrazy, and a newer Go."""
INSTANCES = tuple(name for names in FAMILIES.values() for name in names)

MAY_DIFFER = {
    "Hostname",
    "Environment.GOARCH",
    "SerialConsole",
    "KernelPackage",
    "FirmwarePackage",
    "EEPROMPackage",
}
SYSTEM_PACKAGES = ("KernelPackage", "FirmwarePackage", "EEPROMPackage")
BOARD_MODULES = re.compile(r"github\.com/gokrazy/(kernel\..+|firmware|rpi-eeprom)$")
PROGRAMS_MODULE = "gokrazy.test/programs"
SERVICES_MODULE = "gokrazy.test/services"
ADDONS_MODULE = "gokrazy.test/addons"
OWN_MODULES = {ADDONS_MODULE: ADDONS, PROGRAMS_MODULE: PROGRAMS, SERVICES_MODULE: SERVICES}
SECRETS = (
    re.compile(rb"PRIVATE KEY"),
    re.compile(rb"\b(ssh-(ed25519|rsa|dss)|ecdsa-sha2-\S+|sk-\S+@openssh\.com) AAAA"),
    re.compile(rb"BEGIN CERTIFICATE"),
)
SECRET_NAMES = re.compile(r"^id_|authorized_keys|host_key|\.(pem|key|p12|pfx)$")


def config(instance: str) -> dict[str, Any]:
    parsed = json.loads((IMAGES / instance / "config.json").read_text(encoding="utf-8"))
    assert isinstance(parsed, dict)
    return parsed


def flat(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with each variable of Environment as a field of its own."""
    fields = {name: value for name, value in settings.items() if name != "Environment"}
    for variable in settings["Environment"]:
        name, _, value = variable.partition("=")
        fields[f"Environment.{name}"] = value
    return fields


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """The names of the fields that are not the same in both."""
    missing = object()
    a, b = flat(one), flat(other)
    return {name for name in a.keys() | b.keys() if a.get(name, missing) != b.get(name, missing)}


def gomod(instance: str) -> str:
    return (IMAGES / instance / "builddir" / "go.mod").read_text(encoding="utf-8")


def pinned(text: str) -> dict[str, str]:
    """Module path -> version, of every requirement in a go.mod."""
    found = re.findall(r"^(?:require |\t)(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE)
    assert len({module for module, _ in found}) == len(found), "a module is required twice"
    return dict(found)


def sums(instance: str) -> dict[tuple[str, str], str]:
    """(Module path, version or version/go.mod) -> hash, of every line in a go.sum."""
    lines = (IMAGES / instance / "builddir" / "go.sum").read_text(encoding="utf-8").splitlines()
    return {(module, version): digest for module, version, digest in (line.split() for line in lines)}


def secrets_in(folder: Path) -> list[str]:
    """The files that hold key material or are named as if they did."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and (SECRET_NAMES.search(path.name) or any(secret.search(path.read_bytes()) for secret in SECRETS))
    ]


def test_every_instance_belongs_to_a_family() -> None:
    assert sorted(path.parent.name for path in IMAGES.glob("*/config.json")) == sorted(INSTANCES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_differs_in_named_fields_alone(family: str) -> None:
    first, *others = FAMILIES[family]
    for other in others:
        assert differing(config(first), config(other)) <= MAY_DIFFER, other


def test_a_difference_anywhere_else_is_found() -> None:
    one = config("hello-amd64")
    other = config("hello-amd64")
    other["Environment"] = [*other["Environment"], "CGO_ENABLED=1"]
    other["Packages"] = other["Packages"][1:]
    other["KernelExtraArgs"] = ["rootdelay=0"]
    assert differing(one, other) == {"Environment.CGO_ENABLED", "Packages", "KernelExtraArgs"}


@pytest.mark.parametrize("instance", INSTANCES)
def test_the_hostname_is_the_folder(instance: str) -> None:
    assert config(instance)["Hostname"] == instance


@pytest.mark.parametrize("instance", INSTANCES)
def test_the_boot_stays_stock(instance: str) -> None:
    assert not config(instance).keys() & {"KernelExtraArgs", "BootloaderExtraLines", "GokrazyPackages"}


@pytest.mark.parametrize("instance", INSTANCES)
def test_settings_are_for_packages_that_are_there(instance: str) -> None:
    settings = config(instance)
    known = {*settings["Packages"], "github.com/gokrazy/gokrazy/cmd/randomd"}
    assert settings["PackageConfig"].keys() <= known


@pytest.mark.parametrize("instance", INSTANCES)
def test_its_programs_exist_in_the_shared_module(instance: str) -> None:
    ours = [
        (folder, package.removeprefix(f"{module}/"))
        for package in config(instance)["Packages"]
        for module, folder in OWN_MODULES.items()
        if package.startswith(f"{module}/")
    ]
    assert any(folder == PROGRAMS for folder, _ in ours)
    for folder, place in ours:
        assert (folder / place / "main.go").is_file(), place


@pytest.mark.parametrize("instance", INSTANCES)
def test_it_names_itself_and_shares_the_programs_by_replace(instance: str) -> None:
    text = gomod(instance)
    assert f"module gokrazy/build/{instance}\n" in text
    shared = {module: folder for module, folder in OWN_MODULES.items() if module in pinned(text)}
    assert PROGRAMS_MODULE in shared
    assert re.findall(r"^replace .*$", text, re.MULTILINE) == [
        f"replace {module} => ../../{folder.name}" for module, folder in shared.items()
    ]
    for module, folder in shared.items():
        assert re.search(rf"^module {module}$", (folder / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)


def test_all_pin_the_same_versions_but_for_kernel_and_firmware() -> None:
    shared = {
        instance: {
            module: version
            for module, version in pinned(gomod(instance)).items()
            if not BOARD_MODULES.match(module) and module not in (SERVICES_MODULE, ADDONS_MODULE)
        }
        for instance in INSTANCES
    }
    assert len(shared["hello-amd64"]) > 20
    for instance, versions in shared.items():
        assert versions == shared["tailnet-amd64" if instance in TAILNET else "hello-amd64"], instance
    hello, tailnet = shared["hello-amd64"], shared["tailnet-amd64"]
    gokrazy = {module for module in tailnet if module.startswith("github.com/gokrazy/")}
    assert gokrazy
    assert {module: tailnet[module] for module in gokrazy} == {module: hello[module] for module in gokrazy}


def test_a_kernel_or_firmware_module_has_one_version_everywhere() -> None:
    seen: dict[str, set[str]] = {}
    for instance in INSTANCES:
        for module, version in pinned(gomod(instance)).items():
            seen.setdefault(module, set()).add(version)
    assert {module: versions for module, versions in seen.items() if len(versions) > 1} == {}


@pytest.mark.parametrize("instance", INSTANCES)
def test_it_requires_the_board_modules_it_configures_and_no_others(instance: str) -> None:
    configured = {config(instance)[field] for field in SYSTEM_PACKAGES} - {""}
    required = {module for module in pinned(gomod(instance)) if BOARD_MODULES.match(module)}
    assert required == configured


def test_all_ask_for_the_same_go() -> None:
    stock = [instance for instance in INSTANCES if instance not in TAILNET]
    asked = {re.findall(r"^go (\S+)$", text, re.MULTILINE)[0] for text in map(gomod, stock)}
    for folder in (PROGRAMS, SERVICES):
        asked.update(re.findall(r"^go (\S+)$", (folder / "go.mod").read_text(encoding="utf-8"), re.MULTILINE))
    assert asked == {"1.24.0"}, "Debian 13 has Go 1.24"


@pytest.mark.parametrize("instance", INSTANCES)
def test_go_sum_covers_what_is_required_and_agrees_with_the_others(instance: str) -> None:
    lines = sums(instance)
    required = {(module, version) for module, version in pinned(gomod(instance)).items()} - {
        (module, "v0.0.0") for module in OWN_MODULES
    }
    assert required <= lines.keys()
    assert {(module, f"{version}/go.mod") for module, version in required} <= lines.keys()
    reference = sums("hello-amd64")
    assert {key for key in lines.keys() & reference.keys() if lines[key] != reference[key]} == set()


def test_no_key_material() -> None:
    # Those in others/ carry a public key, as people's do: test_images_others.py holds it against its private half.
    assert [name for name in secrets_in(IMAGES) if not name.startswith("others/")] == []
    assert all(name.endswith("/breakglass.authorized_keys") for name in secrets_in(IMAGES / "others"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", "-----BEGIN OPENSSH PRIVATE KEY-----\n"),
        ("config.json", '{"k": "ssh-ed25519 AAAAC3Nza"}'),
        ("breakglass.authorized_keys", ""),
        ("gokrazy-web.pem", ""),
    ],
)
def test_key_material_would_be_found(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / name).write_text(content, encoding="utf-8")
    assert secrets_in(tmp_path) == [f"hello/{name}"]


@pytest.mark.parametrize(
    ("instance", "module", "needs"),
    [
        *((instance, SERVICES, "modernc.org/sqlite") for instance in FAMILIES["field"]),
        *((instance, SERVICES, "modernc.org/sqlite") for instance in FAMILIES["tailnet-links"]),
        *((instance, ADDONS, "tailscale.com") for instance in FAMILIES["tailnet-links"]),
    ],
)
def test_go_sum_covers_what_the_modules_beside_the_programs_require(
    instance: str, module: Path, needs: str
) -> None:
    required = pinned((module / "go.mod").read_text(encoding="utf-8"))
    assert needs in required
    required = {name: version for name, version in required.items() if name not in OWN_MODULES}
    assert {(module, f"{version}/go.mod") for module, version in required.items()} <= sums(instance).keys()


@pytest.mark.parametrize(
    "module",
    # SQLite takes a minute to compile, and what joins a tailnet takes more.
    [
        pytest.param(ADDONS, id="addons", marks=pytest.mark.gk_tier("nightly")),
        pytest.param(PROGRAMS, id="programs"),
        pytest.param(SERVICES, id="services", marks=pytest.mark.gk_tier("nightly")),
    ],
)
@pytest.mark.parametrize("check", ["vet", "test"])
def test_the_programs_pass_their_own_checks(module: Path, check: str) -> None:
    # Nothing else may have built them yet.
    must_pass(module, check, "./...", fetches=module == ADDONS)


@pytest.mark.parametrize("module", OWN_MODULES.values(), ids=lambda folder: folder.name)
def test_the_programs_are_formatted(module: Path) -> None:
    assert unformatted(module) == ""

"""Init finds a program's settings by its name on the device, as gok does."""

from pathlib import Path

from harness.build.config import Config, PackageConfig
from harness.build.start_settings import StartSettings


def settings(**packages: PackageConfig) -> StartSettings:
    named = {name.replace("__", "/"): value for name, value in packages.items()}
    return StartSettings(Config(file=Path("config.json"), hostname="vm", package_config=named))


def test_a_programs_own_settings() -> None:
    own = PackageConfig(command_line_flags=("-x",), dont_start=True)
    found = settings(example__hello=own)
    assert found.of("/user/hello").command_line_flags == ("-x",)
    assert found.of("/user/hello").dont_start
    assert found.of("/user/other") == PackageConfig()
    assert list(found.notes({"/user/hello": "example/hello"})) == []


def test_a_basename_is_looked_for_in_place_of_the_path() -> None:
    found = settings(example__hello=PackageConfig(basename="greeter", environment=("A=1",)))
    assert found.of("/user/greeter").environment == ("A=1",)
    assert found.of("/user/hello").environment == ()
    assert list(found.notes({"/user/greeter": "example/hello"})) == []


def test_settings_of_a_major_version_never_reach_the_program() -> None:
    found = settings(example__tool__v2=PackageConfig(command_line_flags=("-x",)))
    assert found.of("/user/tool") == PackageConfig()
    (note,) = found.notes({"/user/tool": "example/tool/v2"})
    assert "gok looks for v2 and not for /user/tool" in note
    assert "has no CommandLineFlags: set Basename" in note


def test_packages_whose_paths_end_alike_share_their_settings() -> None:
    found = settings(one__p=PackageConfig(command_line_flags=("-1",)), two__p=PackageConfig(dont_start=True))
    assert found.of("/user/p").command_line_flags == ("-1",)
    assert found.of("/user/p").dont_start
    (note,) = found.notes({"/user/p": "one/p"})
    assert note == "/user/p has the DontStart of two/p: gok knows packages by their last element"

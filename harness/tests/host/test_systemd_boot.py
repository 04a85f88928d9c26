from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import bootfs
from harness.errors import SetupMissing
from harness.host import systemd_boot
from harness.tests.host.conftest import MadeUpHost


def test_the_private_folder_follows_the_environment() -> None:
    assert systemd_boot.private_folder({"HOME": "/home/me"}) == Path("/home/me/.cache/gokharness/systemd-boot")
    assert systemd_boot.private_folder({"HOME": "/home/me", "XDG_CACHE_HOME": "/c"}) == Path(
        "/c/gokharness/systemd-boot"
    )


def test_what_is_found_is_what_a_build_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, installed = tmp_path / "given", tmp_path / "installed"
    env = {"HOME": str(tmp_path), "GOKHARNESS_EFI_DIR": f"{tmp_path / 'none'}:{given}"}
    fetched = systemd_boot.private_folder(env)
    monkeypatch.setattr(bootfs, "_EFI_FOLDER", installed)
    for folder in (given, fetched, installed):
        folder.mkdir(parents=True)
        (folder / "systemd-bootaa64.efi").write_bytes(b"MZ")
    for folder in (given, fetched, installed):
        assert systemd_boot.find("arm64", env) == folder / "systemd-bootaa64.efi"
        (folder / "systemd-bootaa64.efi").unlink()
    assert systemd_boot.find("arm64", env) is None
    (installed / "systemd-bootx64.efi").write_bytes(b"MZ")
    assert systemd_boot.find("arm64", env) is None


def test_a_loader_is_put_with_its_version_and_nothing_else(tmp_path: Path) -> None:
    loader = tmp_path / "systemd-bootaa64.efi"
    loader.write_bytes(b"MZ loader")
    place = systemd_boot.put(loader, tmp_path / "kept", "257.8-1")
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == {
        "systemd-bootaa64.efi": b"MZ loader",
        "systemd-bootaa64.version": b"257.8-1\n",
    }
    assert place.stat().st_mode & 0o777 == 0o644


def test_elsewhere_than_on_debian_it_says_where_to_put_the_file(host: MadeUpHost, tmp_path: Path) -> None:
    host.files["/etc/os-release"] = "ID=fedora\nPRETTY_NAME=Fedora\n"
    with pytest.raises(SetupMissing) as caught:
        systemd_boot.fetch("arm64", tmp_path, host)
    assert "systemd-bootaa64.efi" in caught.value.hint
    assert str(tmp_path) in caught.value.hint


def test_asked_not_to_fetch_it_only_tells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(systemd_boot, "find", lambda arch: None)
    assert systemd_boot.main(["--here", "arm64"]) == 12
    assert "no systemd-boot for arm64" in capsys.readouterr().err


def test_without_a_name_every_architecture_must_have_its_loader(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(systemd_boot, "find", lambda arch: Path(f"/{arch}"))
    assert systemd_boot.main(["--here"]) == 0
    assert capsys.readouterr().out.split() == ["/amd64", "/arm64"]
    monkeypatch.setattr(systemd_boot, "find", lambda arch: Path("/amd64") if arch == "amd64" else None)
    assert systemd_boot.main(["--here"]) == 12

"""Finding an instance, and what the user's gokrazy configuration folder adds to it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from harness.build.instance import Instance, find_instance, load_instance
from harness.errors import ConfigError
from harness.image.arch import Arch

AMD = {"Environment": ["GOARCH=amd64"], "KernelPackage": "github.com/gokrazy/kernel.amd64"}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


def write(folder: Path, **fields: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"Hostname": "vm", "Update": {"HTTPPassword": "pw"}, **fields})
    (folder / "config.json").write_text(text)
    return folder


def load(folder: Path, environ: dict[str, str], **fields: Any) -> Instance:
    return load_instance(write(folder / "vm", **fields), environ=environ)


def test_by_folder_by_file_and_by_name(tmp_path: Path, environ: dict[str, str]) -> None:
    folder = write(tmp_path / "home" / "gokrazy" / "vm")
    assert find_instance(folder, environ=environ) == folder
    assert find_instance(folder / "config.json", environ=environ) == folder
    assert find_instance("vm", environ=environ) == folder
    other = write(tmp_path / "elsewhere" / "vm")
    assert find_instance("vm", environ={**environ, "GOKRAZY_PARENT_DIR": str(tmp_path / "elsewhere")}) == other


def test_a_name_that_is_none_says_which_there_are(tmp_path: Path, environ: dict[str, str]) -> None:
    write(tmp_path / "home" / "gokrazy" / "router")
    with pytest.raises(ConfigError) as raised:
        find_instance("ruoter", environ=environ)
    assert "did you mean router?" in str(raised.value)


def test_a_folder_without_config(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"it has no config\.json"):
        find_instance(tmp_path, environ=environ)


@pytest.mark.parametrize(
    ("environment", "shell", "arch"),
    [
        (["GOARCH=amd64"], {"GOARCH": "arm64"}, "amd64"),
        ([], {"GOARCH": "amd64"}, "amd64"),
        ([], {}, "arm64"),
    ],
)
def test_the_architecture(
    tmp_path: Path, environ: dict[str, str], environment: list[str], shell: dict[str, str], arch: Arch
) -> None:
    read = load(tmp_path, {**environ, **shell}, Environment=environment, KernelPackage="example.com/kernel")
    assert read.arch == arch


@pytest.mark.parametrize(
    ("goarch", "kernel"),
    [("arm64", "github.com/gokrazy/kernel.amd64"), ("amd64", "github.com/gokrazy/kernel.rpi"), ("amd64", None)],
)
def test_a_kernel_of_another_architecture(
    tmp_path: Path, environ: dict[str, str], goarch: str, kernel: str | None
) -> None:
    with pytest.raises(ConfigError, match=r"the kernel .* is one for") as raised:
        load(tmp_path, environ, Environment=[f"GOARCH={goarch}"], KernelPackage=kernel)
    assert "$.KernelPackage" in raised.value.where


def test_an_architecture_without_board(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="no board for GOARCH 'arm'"):
        load(tmp_path, environ, Environment=["GOARCH=arm"])


def test_ports_and_password_of_the_host_then_of_all(tmp_path: Path, environ: dict[str, str]) -> None:
    gokrazy = tmp_path / "home" / ".config" / "gokrazy"
    (gokrazy / "hosts" / "vm").mkdir(parents=True)
    (gokrazy / "http-password.txt").write_text("common\n")
    (gokrazy / "http-port.txt").write_text("81\n")
    read = load(tmp_path, environ, **AMD, Update={})
    assert (read.password, read.http_port, read.https_port) == ("common", 81, 81)
    (gokrazy / "hosts" / "vm" / "http-password.txt").write_text("own\n")
    read = load(tmp_path, environ, **AMD, Update={"HTTPPort": "8080", "HTTPSPort": "8443"})
    assert (read.password, read.http_port, read.https_port) == ("own", 8080, 8443)
    assert "own" not in repr(read).replace("unknown", "")


def test_ports_by_default(tmp_path: Path, environ: dict[str, str]) -> None:
    read = load(tmp_path, environ, **AMD)
    assert (read.http_port, read.https_port) == (80, 443)


def test_a_password_is_made_once_in_the_users_folder(tmp_path: Path, environ: dict[str, str]) -> None:
    environ["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")
    first = load(tmp_path, environ, **AMD, Update={})
    file = tmp_path / "xdg" / "gokrazy" / "http-password.txt"
    assert file.read_text() == first.password
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert any("a new password was made" in note for note in first.notes)
    again = load(tmp_path, environ, **AMD, Update={})
    assert again.password == first.password
    assert again.notes == ()


def test_no_password(tmp_path: Path, environ: dict[str, str]) -> None:
    read = load(tmp_path, environ, **AMD, Update={"NoPassword": True, "HTTPPassword": "pw"})
    assert (read.password, read.password_place) == (None, "")
    assert not (tmp_path / "home").exists()


def test_a_self_signed_certificate_is_made_once_and_kept(tmp_path: Path, environ: dict[str, str]) -> None:
    update = {"HTTPPassword": "pw", "UseTLS": "self-signed"}
    first = load(tmp_path, environ, **AMD, Update=update)
    assert first.certificate is not None
    assert first.certificate.cert.startswith("-----BEGIN CERTIFICATE-----")
    key = tmp_path / "home" / ".config" / "gokrazy" / "hosts" / "vm" / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = load(tmp_path, environ, **AMD, Update=update)
    assert again.certificate == first.certificate
    # Without UseTLS a pair that is there counts as well; "off" ignores it.
    assert load(tmp_path, environ, **AMD).certificate == first.certificate
    assert load(tmp_path, environ, **AMD, Update={"HTTPPassword": "pw", "UseTLS": "off"}).certificate is None
    # A pair by file names, relative to the instance; and one that does not belong together.
    (tmp_path / "vm" / "c.pem").write_text(first.certificate.cert)
    (tmp_path / "vm" / "k.pem").write_text(first.certificate.key)
    named = load(tmp_path, environ, **AMD, Update={"HTTPPassword": "pw", "UseTLS": "c.pem,k.pem"})
    assert named.certificate == first.certificate
    assert "PRIVATE KEY" not in repr(named)
    (tmp_path / "vm" / "k.pem").write_text(first.certificate.cert)
    with pytest.raises(ConfigError, match="cannot be used together"):
        load(tmp_path, environ, **AMD, Update={"HTTPPassword": "pw", "UseTLS": "c.pem,k.pem"})


def test_a_certificate_file_that_is_missing(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: .*c\.pem"):
        load(tmp_path, environ, **AMD, Update={"HTTPPassword": "pw", "UseTLS": "c.pem,k.pem"})


def test_the_mkfs_package_is_seen(tmp_path: Path, environ: dict[str, str]) -> None:
    assert not load(tmp_path, environ, **AMD, Packages=["github.com/gokrazy/mkfsx"]).formats_perm
    assert load(tmp_path, environ, **AMD, Packages=["github.com/gokrazy/mkfs"]).formats_perm
    assert load(tmp_path, environ, **AMD, Packages=["github.com/gokrazy/mkfs.bcachefs"]).formats_perm

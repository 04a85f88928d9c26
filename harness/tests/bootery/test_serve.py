"""Where it listens and for whom, and that what is wrong there is one sentence."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from harness import cli
from harness.bootery.serve import PASSWORD_VARIABLE, Service
from harness.errors import OptionError

CONFIG = Path("bootery.toml")


@pytest.fixture(autouse=True)
def _no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:8037", ("127.0.0.1", 8037)),
        ("localhost:0", ("127.0.0.1", 0)),
        ("[::1]:8037", ("::1", 8037)),
    ],
)
def test_on_loopback_it_listens_without_a_password(listen: str, address: tuple[str, int]) -> None:
    assert Service(CONFIG, listen).address == address


@pytest.mark.parametrize("listen", ["0.0.0.0:8037", "192.0.2.1:8037", "[::]:8037"])
def test_where_others_reach_it_it_wants_a_password(
    listen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionError, match="others reach this address, and there is no password"):
        Service(CONFIG, listen).address  # noqa: B018  it raises
    file = tmp_path / "pw.txt"
    file.write_text("secret\n")
    assert Service(CONFIG, listen, file).address[1] == 8037
    assert Service(CONFIG, listen, file).password == "secret"
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert Service(CONFIG, listen).address[1] == 8037


@pytest.mark.parametrize("listen", ["8037", "there:8037", "127.0.0.1:", "127.0.0.1:web", "127.0.0.1:99999"])
def test_an_address_is_numbers(listen: str) -> None:
    with pytest.raises(OptionError, match="is no address with a port"):
        Service(CONFIG, listen).address  # noqa: B018  it raises


def test_a_password_that_comes_through_a_pipe_is_read_once() -> None:
    end, other = os.pipe()
    with os.fdopen(end), os.fdopen(other, "w") as writer:
        writer.write("secret\n")
        writer.close()
        service = Service(CONFIG, "0.0.0.0:8037", Path(f"/dev/fd/{end}"))
        assert service.address == ("0.0.0.0", 8037)
        assert service.password == "secret"


def test_a_password_file_must_hold_one(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--auth-file cannot be read: No such file"):
        Service(CONFIG, "127.0.0.1:8037", tmp_path / "none").password  # noqa: B018  it raises
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(OptionError, match="--auth-file is empty"):
        Service(CONFIG, "127.0.0.1:8037", tmp_path / "empty").password  # noqa: B018  it raises


def test_the_command_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["bootery"]) == 4
    assert "the bootery's configuration cannot be read" in capsys.readouterr().err
    (tmp_path / "bootery.toml").write_text("[slugs]\n'a/b' = ['virt']\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["bootery", "--listen", f"127.0.0.1:{port}"]) == 11
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err

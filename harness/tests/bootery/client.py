"""A client as the kernel repositories have it: it sends what it packed in chunks; only 200 is a success."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import requests

LONGEST = 1900.0
"""Seconds: a test may take 30 minutes."""


class Refused(Exception):
    """The answer was another than 200."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


class Client:
    """Speaks to one bootery; ``password`` is that of the user gokrazy."""

    def __init__(self, url: str, password: str = "") -> None:
        self.url = url.rstrip("/")
        self._auth = ("gokrazy", password) if password else None

    def use(self, slug: str) -> list[str]:
        """Ask for the hosts of a repository."""
        answer = self._put("/usebakeries", {"slug": slug})
        assert answer.headers["Content-Type"] == "application/json"
        hosts: list[str] = answer.json()["hosts"]
        return hosts

    def update_root(self, host: str, root: Path) -> None:
        """Send the root file system."""
        self._put("/updateroot", {"hostname": host}, chunks_of(root))

    def test_boot(self, host: str, boot: Path, *, update_root: bool = True, newer: int = 0) -> str:
        """Send the boot file system; returns the boot log."""
        asked = {"hostname": host, "update_root": str(update_root).lower()}
        if newer:
            asked["boot-newer"] = str(newer)
        return self._put("/testboot1", asked, chunks_of(boot)).text

    def release(self) -> str:
        """Give the hosts back."""
        return self._put("/releasebakeries", {}).text

    def whole(self, slug: str, packed: Path, *, update_root: bool = True, newer: int = 0) -> dict[str, str]:
        """Everything in its order; ``packed/HOST`` has root.img and boot.img. Returns the log of each host."""
        logs = {}
        for host in self.use(slug):
            if update_root:
                self.update_root(host, packed / host / "root.img")
            boot = packed / host / "boot.img"
            logs[host] = self.test_boot(host, boot, update_root=update_root, newer=newer)
        self.release()
        return logs

    def _put(self, path: str, params: dict[str, str], body: Iterator[bytes] | None = None) -> requests.Response:
        url = self.url + path
        answer = requests.put(url, params=params, data=body, auth=self._auth, timeout=LONGEST)
        if answer.status_code != 200:
            raise Refused(answer.status_code, answer.text)
        return answer


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file, piece by piece: its length is not said before, as Go's client does with a file."""
    with path.open("rb") as file:
        while piece := file.read(1 << 16):
            yield piece

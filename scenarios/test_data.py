"""Data: a service with a real database loses nothing that it confirmed, whatever becomes of the device."""

import itertools
import json
import sqlite3
import threading
from contextlib import closing, contextmanager

import pytest
import requests

# SQLite takes a minute to compile, for each architecture.
pytestmark = [pytest.mark.gk_tier("nightly"), pytest.mark.gk_image("field")]

SERVICE = "/user/links"
PORT = 8081
FILE = "/perm/home/links/data.db"
ENOUGH = 40
"""Links that are kept before something happens: some pages of the database, and some of its journal."""


class Links:
    """Who uses the link shortener over its network."""

    def __init__(self, appliance):
        self.appliance = appliance

    def wait_until_served(self):
        return json.loads(self.appliance.wait_until_served(PORT))

    def put(self, name):
        address = f"https://example.test/{name}"
        self.ask("PUT", f"/{name}", data=address, timeout=self.appliance.budget.service)

    def visit(self, name):
        answer = self.ask("GET", f"/{name}", timeout=self.appliance.budget.service, allow_redirects=False)
        assert answer.status_code == 302
        return answer.headers["Location"]

    def all(self):
        return self.ask("GET", "/", timeout=self.appliance.budget.service).json()

    def names(self):
        return {one["name"] for one in self.wait_until_served()["links"]}

    def database(self):
        return self.ask("GET", "/.check", timeout=self.appliance.budget.service).json()

    def ask(self, method, path, **more):
        answer = requests.request(method, self.appliance.url(PORT, path), **more)
        answer.raise_for_status()
        return answer


@contextmanager
def somebody_writes(links):
    """Within this block links are kept one after the other; gives the list of those that were confirmed."""
    kept, enough, over = [], threading.Event(), threading.Event()

    def write():
        for number in itertools.count():
            try:
                links.put(f"link-{number}")
            except requests.RequestException:
                break
            kept.append(f"link-{number}")
            if len(kept) == ENOUGH:
                enough.set()
            if over.is_set():
                break
        enough.set()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        assert enough.wait(links.appliance.budget.ready), "the links take too long to be kept"
        assert len(kept) >= ENOUGH, "the link shortener does not answer"
        yield kept
    finally:
        over.set()
        writer.join(links.appliance.budget.service)


def assert_all_is_there(links, kept):
    """Each link that was confirmed is there, at most one that was under way too, and the file is whole."""
    names = links.names()
    lost = sorted(set(kept) - names)
    assert not lost, f"{len(lost)} of {len(kept)} links that were confirmed are gone: {lost[:3]}"
    assert len(names - set(kept)) <= 1
    assert links.database()["integrity"] == "ok"


@pytest.mark.gk_shows("a service gets flags and environment from config.json")
@pytest.mark.gk_board("virt")
def test_a_link_is_kept_as_its_instance_says(appliance):
    links = Links(appliance)
    assert links.wait_until_served() == {"owner": "field", "links": []}, "Environment did not reach the service"
    assert f"-sqlitedb={FILE}" in appliance.service(SERVICE).args
    links.put("docs")
    assert links.visit("docs") == "https://example.test/docs"
    assert links.all()["links"] == [{"name": "docs", "address": "https://example.test/docs", "visits": 1}]
    database = links.database()
    assert database["version"].startswith("3.")
    assert (database["integrity"], database["journal"], database["synchronous"]) == ("ok", "wal", 2)
    # The clock is set here; where it is not, the service waits for it and says the same.
    with appliance.log_stream(SERVICE, "stderr") as log:
        log.wait_for(r"gokrazy: waiting for clock to be synced", timeout=appliance.budget.service)
        log.wait_for(r"gokrazy: attempt 0, starting", timeout=appliance.budget.service)


@pytest.mark.gk_shows("a service keeps its state in SQLite under /perm")
@pytest.mark.gk_board("virt")
@pytest.mark.gk_needs("breakglass-shell")
def test_links_outlive_a_crash_and_a_restart(appliance):
    links = Links(appliance)
    links.wait_until_served()
    with appliance.breakglass() as rescue, somebody_writes(links) as kept:
        before = appliance.service(SERVICE)
        rescue.run(f"kill -9 {before.pid}")
        after = appliance.wait_until_runs_anew(before)
    assert_all_is_there(links, kept)
    appliance.restart(SERVICE)
    appliance.wait_until_runs_anew(after)
    assert_all_is_there(links, kept)


@pytest.mark.gk_board("virt")
@pytest.mark.gk_reboots
def test_links_outlive_a_power_cut_while_they_are_written(appliance):
    write_until_the_power_is_cut(appliance)


@pytest.mark.gk_board("pc-bios")
@pytest.mark.gk_reboots
def test_links_outlive_a_power_cut_of_a_pc(appliance):
    write_until_the_power_is_cut(appliance)


def write_until_the_power_is_cut(appliance):
    """Keep links until the power is cut, and look for them after the next start."""
    links = Links(appliance)
    links.wait_until_served()
    with somebody_writes(links) as kept:
        appliance.cut_power()
    appliance.power_on()
    appliance.wait_until_ready()
    assert_all_is_there(links, kept)


@pytest.mark.gk_board("virt", "pc-bios")
@pytest.mark.gk_reboots
@pytest.mark.gk_uploads
def test_links_outlive_an_update_into_either_slot(appliance, next_image):
    links, first = Links(appliance), appliance.image
    links.wait_until_served()
    with somebody_writes(links) as kept:
        pass
    for image in (next_image, first):
        before = appliance.slot
        appliance.update(image)
        assert appliance.slot != before
        assert_all_is_there(links, kept)
        links.put(f"after-{appliance.slot}")
        kept.append(f"after-{appliance.slot}")


@pytest.mark.gk_board("virt")
@pytest.mark.gk_needs("breakglass")
def test_a_backup_is_taken_by_breakglass_while_links_are_written(appliance, tmp_path):
    links = Links(appliance)
    links.wait_until_served()
    with somebody_writes(links) as kept:
        before = list(kept)
        with appliance.breakglass() as rescue:
            rescue.run(f"{SERVICE} -sqlitedb={FILE} -backup=/tmp/backup.db", timeout=appliance.budget.ready)
            backup = tmp_path / "backup.db"
            backup.write_bytes(rescue.get_bytes("/tmp/backup.db"))
    assert len(kept) > len(before), "nobody wrote meanwhile"
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        names = {name for (name,) in copy.execute("SELECT name FROM links")}
    assert set(before) <= names <= {*kept, f"link-{len(kept)}"}
    assert_all_is_there(links, kept)

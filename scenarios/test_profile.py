"""Go's profiling and tracing work on a service of the device, from here, while it serves."""

import threading
from contextlib import contextmanager

import pytest
import requests

from harness.errors import RequestRefused

# SQLite takes a minute to compile, for each architecture.
pytestmark = [pytest.mark.gk_tier("nightly"), pytest.mark.gk_board("virt"), pytest.mark.gk_image("field")]

PORT = 8081


@contextmanager
def load(appliance):
    """Within this block somebody uses the link shortener all the time."""
    over = threading.Event()

    def use():
        for number in iter(int, None):
            if over.is_set():
                return
            url = appliance.url(PORT, f"/link-{number}")
            requests.put(url, data="https://example.test/", timeout=appliance.budget.service)

    user = threading.Thread(target=use, daemon=True)
    user.start()
    try:
        yield
    finally:
        over.set()
        user.join(appliance.budget.service)


def test_a_profile_of_a_service_opens_and_names_its_functions(appliance, go):
    appliance.wait_until_served(PORT)
    with load(appliance):
        profile = appliance.profile(PORT, "profile", seconds=3)
    said = go("pprof", "-top", "-cum", "-nodecount=5000", "-nodefraction=0", str(profile))
    assert "Type: cpu" in said
    assert "File: links" in said
    assert "main.(*server).put" in said
    assert "modernc.org/sqlite" in said


def test_an_execution_trace_of_a_service_opens_and_has_its_goroutines(appliance, go):
    appliance.wait_until_served(PORT)
    with load(appliance):
        trace = appliance.profile(PORT, "trace", seconds=1)
    said = go("trace", "-d=parsed", str(trace))
    assert "StateTransition" in said
    assert "net/http.(*conn).serve" in said


def test_the_memory_of_a_service_is_profiled(appliance, go):
    appliance.wait_until_served(PORT)
    said = go("pprof", "-top", "-sample_index=inuse_space", str(appliance.profile(PORT, "heap")))
    assert "Type: inuse_space" in said


def test_a_program_without_profiles_is_named_as_such(appliance):
    appliance.wait_until_served(8080)
    with pytest.raises(RequestRefused) as raised:
        appliance.profile(8080)
    assert "net/http/pprof" in raised.value.hint

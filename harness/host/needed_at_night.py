"""What the nightly tests need besides: a browser, which is too large to install for every change.

Read by ``ci/setup --for night``, with the system's bare python3, so it uses the standard library only.
"""

from __future__ import annotations

from harness.host.table import Requirement

TABLE = (
    Requirement(
        name="chromium",
        why="shows the report as its readers see it: 124 MB to fetch, 414 MB installed",
        package="chromium",
    ),
    Requirement(
        name="DejaVu Sans",
        why="what the browser writes with, so that a line is as wide as on a desk",
        package="fonts-dejavu-core",
        files=("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",),
    ),
)

"""Takes pictures of a report for whoever changes how it looks: ``python -m harness.tests.report.pictures DIR``.

With a second argument it is of this page, else of the sample with a failure of each kind. The pictures are of the
whole page, in parts from the top, 1280 and 400 pixels wide, light and dark. The first of all that can be opened of
each kind is open.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from harness.report.charts import charts
from harness.report.page import write_page
from harness.tests.report.browser import Browser
from harness.tests.report.samples import run_of_each_kind

HIGH = 1800
"""Pixels of one part."""
OPEN = """
for (const kind of ['.card .more', '.row', '.image', '#made details']) {
  for (const one of document.querySelectorAll(kind)) { one.open = true; break; }
}
"""
DRAWN = """
(async () => {
  for (const one of document.querySelectorAll('.card .story')) {
    one.scrollIntoView();
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
  }
  scrollTo(0, 0);
  await new Promise(requestAnimationFrame);
})()
"""


def main(folder: Path, page: Path | None = None) -> None:
    """Write the pictures into the folder, and say what a user would find in the browser's console."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, Browser(Path(profile)) as browser:
        for width in (1280, 400):
            for light in ("light", "dark"):
                browser.open(page or _sample(folder), width=width, dark=light == "dark")
                browser.run(OPEN)
                browser.run(DRAWN)
                high = browser.run("document.documentElement.scrollHeight")
                for number, top in enumerate(range(0, high, HIGH), 1):
                    part = (0, top, width, min(HIGH, high - top))
                    browser.picture(folder / f"{width}-{light}-{number:02}.png", part)
        print(*browser.troubles, sep="\n")


def _sample(folder: Path) -> Path:
    document, page = run_of_each_kind(), folder / "report.html"
    earlier = [{("virt", "cold"): {"ready": ready}, ("virt", "warm"): {"ready": 0.2}} for ready in (7.9, 8.1, 8.8)]
    write_page(page, document, charts(document.boots, earlier, {"virt": 150.0}))
    return page


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))

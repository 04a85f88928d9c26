"""The table: each way to break an appliance, and what a developer must read then."""

from __future__ import annotations

from harness.tests.verdict.of_configuration import CONFIGURATION
from harness.tests.verdict.of_images import IMAGES
from harness.tests.verdict.of_others import ACTS, INSTANCES
from harness.tests.verdict.of_pages import PAGES
from harness.tests.verdict.of_sizes import SIZES

WAYS = (*IMAGES, *INSTANCES, *ACTS, *SIZES, *PAGES, *CONFIGURATION)

"""``python -m harness`` is ``gokharness``."""

import sys

from harness.cli import main

sys.exit(main())

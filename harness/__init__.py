"""Boot, update, crash and rescue gokrazy appliances under QEMU, from pytest.

The command has imported this before it starts pytest, which could then not rewrite its asserts any more.
It has none, and says so as pytest wants it: PYTEST_DONT_REWRITE.
"""

__version__ = "0.1.0"

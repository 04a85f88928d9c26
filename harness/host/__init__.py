"""What the machine that runs the tests must have, and what it can do."""

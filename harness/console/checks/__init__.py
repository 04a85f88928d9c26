"""The rows of the table of console checks, by who speaks."""

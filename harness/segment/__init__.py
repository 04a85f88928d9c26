"""The network segment that an appliance is on: what the harness plays there, and what it sees there."""

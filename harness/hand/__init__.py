"""By hand: somebody in front of one running appliance types at its console, and commands its machine."""

"""Ways to break an appliance, each done for real, and what a developer must then read."""

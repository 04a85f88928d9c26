"""A tailnet on this host: control server, relay and a second node, which an appliance joins for a test."""

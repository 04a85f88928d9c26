"""A bootery: serves the protocol by which gokrazy's kernel repositories have a new kernel tried on devices."""

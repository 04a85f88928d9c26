"""One run of pytest: what its processes tell each other about it."""

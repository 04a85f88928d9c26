"""Nothing outlives the run: the guard over its processes, and leashes for the programs that it starts."""

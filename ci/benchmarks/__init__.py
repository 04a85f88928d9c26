"""The benchmarks of ci/bench, one module each, and what they share."""

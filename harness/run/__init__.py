"""One run of pytest: which tests, in which share, on which worker, again or not."""

"""Bundles: the moment at which a test failed, in one file, and the way back to it on another computer."""

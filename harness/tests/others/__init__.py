"""Instances and images that other people made, checked as a stranger does on each board that can start them."""

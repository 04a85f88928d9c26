"""The running thing that scenarios talk to, and what is known of it."""

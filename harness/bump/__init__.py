"""The bump: whether an appliance with a new kernel, or another new part, is as good as it was."""

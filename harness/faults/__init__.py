"""What a scenario does to an appliance on purpose: for scenarios and commands, never for what makes appliances.

Each fault is a verb that takes the appliance; one that can be undone is a context manager as well.
"""

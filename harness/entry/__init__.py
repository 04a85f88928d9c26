"""The module that pytest enters by; a wheel has it beside the package, under a name that nobody else has."""

"""The commands of gokharness, one module each: ``add`` registers it, ``run`` returns the exit status."""

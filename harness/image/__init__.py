"""From a gokrazy instance, or a finished disk image, to an Image that boards can boot."""

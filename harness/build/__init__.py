"""From a gokrazy instance to an Image that boards can boot."""

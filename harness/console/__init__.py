"""The serial console: every byte kept with its time, crashes and boot phases seen live, expect and a shell."""

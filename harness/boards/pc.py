"""What the emulated PCs have in common."""

CPU = "max,erms=off,fsrm=off,fzrm=off,fsrs=off,fsrc=off"
"""All that TCG can play, but for the claim that string instructions on bytes are fast: TCG takes a byte at a time.

A kernel that believes it clears and copies its memory that way; docs/warm-starts.md has what it costs.
"""

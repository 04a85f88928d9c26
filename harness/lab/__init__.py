"""What a session shares: its boards, images, keys, captured machines, and the room on this host."""

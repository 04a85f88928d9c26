"""What a session shares: its boards, images, keys, snapshots, and the room on this host."""

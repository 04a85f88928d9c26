"""What a disk image is: read from any file that holds one, and written."""

"""What runs before the kernel: SeaBIOS, edk2, or the harness itself."""

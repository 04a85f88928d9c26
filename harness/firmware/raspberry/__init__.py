"""What the VideoCore firmware of a Raspberry Pi does, which QEMU does not run: config.txt, device tree, quirks."""

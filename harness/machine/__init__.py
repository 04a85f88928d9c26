"""One QEMU process: launch, QMP, ports, guard against leaks, accelerator, disk overlays, snapshots."""

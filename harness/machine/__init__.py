"""One QEMU process: launch, QMP, ports, guard against leaks, accelerator, overlays, captures."""

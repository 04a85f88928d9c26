"""The Raspberry Pi models that the firmware stage can play, as data.

Sources: the firmware's documentation (conditional filters; ``kernel``; revision codes), and the names of the
device trees that the kernel packages bring.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import InternalError


@dataclass(frozen=True)
class Model:
    """What the firmware of one model knows about itself."""

    name: str
    title: str
    filters: frozenset[str]
    """The model filters of config.txt that are true here."""
    board_type: int
    """The type in the revision code, which ``[board-type=]`` asks for."""
    dtbs: tuple[str, ...]
    """The device trees that the firmware looks for, in this order."""
    upstream_dtbs: tuple[str, ...] = ()
    """Those that it looks for first with ``upstream_kernel=1``."""
    soc: str = "bcm2835"
    """What overlay_map.dtb calls the platform."""
    arm_64bit: bool = False
    """Whether a 64-bit kernel is the default."""
    kernels32: tuple[str, ...] = ("kernel7.img",)
    serial_is_mini_uart: bool = True
    """Whether the console on the header is UART1 (ttyS0) as long as Bluetooth has UART0 (ttyAMA0)."""


MODELS = {
    model.name: model
    for model in (
        Model(
            name="pi2",
            title="Raspberry Pi 2 Model B",
            filters=frozenset({"pi2"}),
            board_type=0x04,
            dtbs=("bcm2709-rpi-2-b.dtb",),
            upstream_dtbs=("bcm2836-rpi-2-b.dtb",),
            serial_is_mini_uart=False,
        ),
        Model(
            name="pi3",
            title="Raspberry Pi 3 Model B",
            filters=frozenset({"pi3"}),
            board_type=0x08,
            dtbs=("bcm2710-rpi-3-b.dtb",),
            upstream_dtbs=("bcm2837-rpi-3-b.dtb",),
        ),
        Model(
            name="pi3a+",
            title="Raspberry Pi 3 Model A+",
            filters=frozenset({"pi3", "pi3+"}),
            board_type=0x0E,
            # The firmware has no name of its own for the A+: it uses the tree of the B+ where there is none.
            dtbs=("bcm2710-rpi-3-a-plus.dtb", "bcm2710-rpi-3-b-plus.dtb"),
            upstream_dtbs=("bcm2837-rpi-3-a-plus.dtb",),
        ),
        Model(
            name="pi4",
            title="Raspberry Pi 4 Model B",
            filters=frozenset({"pi4"}),
            board_type=0x11,
            dtbs=("bcm2711-rpi-4-b.dtb",),
            upstream_dtbs=("bcm2711-rpi-4-b.dtb",),
            soc="bcm2711",
            arm_64bit=True,
            kernels32=("kernel7l.img",),
        ),
    )
}


def model(name: str) -> Model:
    """The model that a board plays; raises InternalError for one that is not in the table."""
    if name not in MODELS:
        raise InternalError(f"there is no Raspberry Pi model {name!r}", hint=f"known: {', '.join(MODELS)}")
    return MODELS[name]

"""What runs the guest's processors: KVM only when it has been seen to run a kernel of this board, else TCG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AcceleratorName = Literal["tcg", "kvm"]


@dataclass(frozen=True)
class Accelerator:
    """An accelerator, why it was chosen, and how long things take compared to TCG (1.0; less is faster)."""

    name: AcceleratorName
    reason: str
    factor: float = 1.0


TCG = Accelerator("tcg", "asked for")

"""Contents: what an appliance says that it is made of, and how much room it takes."""

from __future__ import annotations

from functools import cached_property

from harness.appliance.life import Life
from harness.errors import ApplianceFault
from harness.image.room import MIB, ImageRoom, room_of
from harness.image.sbom import PLACE, Sbom, read_sbom
from harness.image.sbom_check import has_sbom, sbom_of, sbom_troubles

TO_DO = "build the image again: what compares devices by its hash takes it for another one"


class Contents(Life):
    """The part of an appliance that is about what is in it."""

    def sbom(self) -> Sbom:
        """Its bill of materials, read by breakglass from the device itself.

        Raises ApplianceFault where nobody can read it, where its hash is not that of what it contains, and where
        the web interface names another one.
        """
        with self.breakglass() as rescue:
            document = rescue.get_bytes(PLACE).decode(errors="replace")
        reported = self.status().sbom_hash
        try:
            bill = read_sbom(document)
        except ValueError as error:
            raise self._untrue(f"its bill of materials {error}", document[:500]) from None
        if bill.hash != bill.computed:
            raise self._untrue(f"its bill of materials says it has hash {bill.hash}, and has {bill.computed}")
        if reported != bill.hash:
            raise self._untrue(f"the web interface names the bill {reported or '(none)'}, and it is {bill.hash}")
        return bill

    def image_sbom(self) -> Sbom | None:
        """The bill of materials in the file of its image; None where there is none. Raises ApplianceFault."""
        if not has_sbom(self.image):
            return None
        try:
            return sbom_of(self.image)
        except ValueError as error:
            raise self._untrue(f"the bill of materials in the image {error}") from None

    def check_sbom(self) -> None:
        """Raise ApplianceFault where the bill of materials of its image names something else than is in it."""
        if troubles := sbom_troubles(self.image):
            raise self._untrue(f"the bill of materials is untrue: {troubles[0]}", "\n".join(troubles))

    def _untrue(self, what: str, evidence: str = "") -> ApplianceFault:
        return ApplianceFault(what, where=f"{self.image.path}: {PLACE}", hint=TO_DO, evidence=evidence)

    @cached_property
    def room(self) -> ImageRoom:
        """How much room its image takes: what an update sends."""
        return room_of(self.image)

    def memory_at_rest(self) -> float:
        """MiB of its machine's memory that are not available to programs once its services are at rest.

        The kernel counts, by what it was given and ``MemTotal`` lacks. Raises ApplianceFault where the device does
        not say.
        """
        left = self.wait_until_calm().memory.get("MemAvailable")
        if left is None:
            raise ApplianceFault("the web interface does not say how much memory is left", where=self.device.url)
        return self._equipment.memory - self.board.withheld - left / MIB

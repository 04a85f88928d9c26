"""Contents: what an appliance says that it is made of."""

from __future__ import annotations

from harness.appliance.life import Life
from harness.errors import ApplianceFault
from harness.image.sbom import PLACE, Sbom, read_sbom


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

    def _untrue(self, what: str, evidence: str = "") -> ApplianceFault:
        hint = "build the image again: what compares devices by this hash takes it for another one"
        return ApplianceFault(what, where=f"{self.device.url}: {PLACE}", hint=hint, evidence=evidence)

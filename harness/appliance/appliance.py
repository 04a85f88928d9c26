"""Appliance: the running thing that scenarios talk to."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager

from harness.appliance.assembly import Assembly
from harness.appliance.contents import Contents
from harness.appliance.demands import demand
from harness.appliance.diversions import Diversions
from harness.appliance.mounts import Mounts
from harness.appliance.neighbours import Neighbours
from harness.appliance.restoration import Restoration
from harness.appliance.updates import Updates
from harness.errors import ApplianceFault


class Appliance(Updates, Restoration, Contents, Diversions, Neighbours, Mounts):
    """One appliance of one test: an image, a board, and the machine that runs the image.

    ``device`` is its web interface, ``console`` its serial console, ``power`` the machine's switch. Every wait
    has the limit that ``budget`` gives for this board and accelerator, in seconds, and ends at once with the cause
    when the console shows a crash. Its verbs are in its parts, one file each, and each stands on those above it:

    Core           image, board, budget, console, power, device, port, url, can, check
    Services       what init supervises
    Diversions     a program of this host in place of a service, as gok run has it
    WaysIn         serial shell, breakglass
    Inside         its pages in a browser, its screen, its files, its mounts, who listens
    DeviceClock    what time it has
    Past           its boots: slot, build, cold start, boot times, excerpts for a report
    Life           power on and off, reboot, wait until it is ready
    Restoration    snapshots of it, restored for other tests or rewound to within one
    Updates        another image, over the network or on its disk
    Contents       what it is made of, how much room it takes
    Perm           files of its /perm while it is off, and the password there
    Mounts         which file systems it has
    Neighbours     who is beside it on its network, and what goes by there; its guest agent
    """

    def __init__(self, made: Assembly) -> None:
        super().__init__(made)
        self.left_out: dict[str, str] = {}
        """What a scenario did not look at, and why; see ``applies``."""
        self.deviations: dict[str, str] = {}
        """Known deviations that this appliance showed: which, and the evidence."""

    def applies(self, what: str, *abilities: str) -> bool:
        """Whether a part of a scenario applies, for which the image must have these abilities.

        Where it does not, the report says that ``what`` was left out, and why.
        """
        lack = next((reason for ability in abilities if (reason := self.missing(ability))), "")
        if lack:
            self.left_out[what] = lack
        return not lack

    def check_modules(self, running: str, modules: Collection[str]) -> None:
        """Raise ApplianceFault unless its modules are for the kernel that runs; one may bring none."""
        if modules and running not in modules:
            raise ApplianceFault(
                f"Linux {running} runs, and /lib/modules has those of {', '.join(modules)} only: it can load none",
                where=self.console.name,
                hint="take vmlinuz and lib/modules from the same version of the kernel's package",
            )

    def demand(self, name: str) -> AbstractContextManager[None]:
        """Make a demand by name, which a row of harness/appliance/deviations.py may know to be unmet."""
        return demand(name, self.image.modules, self.image.kernel, self.deviations)

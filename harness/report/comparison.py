"""The page of a comparison, which needs nothing else: what got worse and why, what differs, then the rest."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from harness import __version__
from harness.bump.bump import Sides
from harness.bump.compare import Row, Verdict
from harness.bump.render import ordered, sentence
from harness.report.page import FOLDER, environment, policy_of

TONES = {Verdict.WORSE: "strong", Verdict.UNSEEN: "warn"}
"""How a verdict is marked; the others are not."""


def comparison(rows: Sequence[Row], what: Sides) -> str:
    """The page; what a device said is data in it, never markup, and nothing runs."""
    style = (FOLDER / "page.css").read_text("utf-8")
    in_order = ordered(rows)
    sides = (("Old", what.old_title, what.old), ("New", what.new_title, what.new))
    return (
        environment()
        .get_template("comparison.html")
        .render(
            # Ours, from the package: the only text that is taken as markup.
            style=Markup(style),  # noqa: S704
            policy=policy_of(style, ""),
            version=__version__,
            title=sentence(rows),
            regression=any(row.is_regression for row in rows),
            boards=list(dict.fromkeys(row.board for row in rows)),
            sides=[
                (name, {"what": title, "Linux": image.kernel.release, "digest of the image": image.digest})
                for name, title, image in sides
            ],
            worse=[row for row in in_order if row.is_regression],
            differs=[row for row in in_order if row.verdict is not Verdict.SAME and not row.is_regression],
            same=[row for row in in_order if row.verdict is Verdict.SAME],
            tones=TONES,
        )
    )

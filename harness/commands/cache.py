"""``gokharness cache``: what is kept, shown or pruned."""

from __future__ import annotations

import argparse

from harness.commands.arguments import Commands, options_of
from harness.options import settings_from


def add(commands: Commands) -> None:
    """Add it to the commands."""
    cache = commands.add_parser("cache", help="show what the cache keeps, or prune it")
    cache.add_argument("action", choices=("show", "prune"), nargs="?", default="show")
    cache.add_argument(
        "--max-gb", type=float, default=0.0, metavar="GB", help="how much prune leaves (default 0: nothing)"
    )
    options_of("cache", cache, epilog="")
    cache.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List the images and snapshots that are kept, or prune them."""
    from harness.build.cache import Cache
    from harness.lab.snapshots import snapshot_root
    from harness.report.places import must_take_files
    from harness.store.store import Store

    settings = settings_from({"gk_cache": options.gk_cache})
    cache, snapshots = Cache(settings.cache_root), Store(snapshot_root(settings))
    if options.action == "prune":
        must_take_files(settings.cache_root, what="the cache", flag="--gk-cache")
        # Snapshots first: their machines are booted again in seconds, where images take a compiler.
        most = int(options.max_gb * 1e9)
        forgotten = snapshots.prune(max(0, most - sum(entry.bytes_on_disk for entry in cache.entries())))
        removed = cache.prune(most)
        print(f"removed {len(removed)} images and {len(forgotten)} snapshots from {cache.root}")
        return 0
    images, kept = cache.entries(), snapshots.entries()
    for image in images:
        print(f"image: {image.title}: {image.bytes_on_disk / 1e6:.0f} MB in {image.disk.parent}")
    for snapshot in kept:
        print(f"snapshot: {snapshot.title}: {snapshot.allocated() / 1e6:.0f} MB in {snapshot.folder}")
    print(f"{len(images)} images and {len(kept)} snapshots in {cache.root}")
    return 0

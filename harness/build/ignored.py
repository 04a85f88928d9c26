"""Fields of config.json that read as if they did something, and that no released gok acts upon."""

from __future__ import annotations

from collections.abc import Iterator

from harness.build.config import Config


def ignored_fields(config: Config) -> Iterator[str]:
    """One sentence for each of them that is set: the device is built without it here, as it is by gok."""
    update = config.update
    for name, value in (("CertPEM", update.cert_pem), ("KeyPEM", update.key_pem)):
        if value:
            # WithFallbackToHostSpecific of github.com/gokrazy/internal/config makes a copy without them.
            yield (
                f"{config.where(f'$.Update.{name}')}: gok ignores {name}, so the device does not serve it; "
                "UseTLS takes self-signed or CERTIFICATE,KEY"
            )
    for package, settings in config.package_config.items():
        base = f'$.PackageConfig["{package}"]'
        if settings.wait_for:
            # internal knows the field since 2026; the packer's part (tools, pull request 96) was closed.
            yield (
                f"{config.where(f'{base}.WaitFor')}: gok ignores WaitFor, so the service does not wait; "
                "the program may call gokrazy.WaitFor, or set WaitForClock"
            )
        if settings.capabilities:
            # A proposal (tools, pull request 95; internal, pull request 27).
            yield (
                f"{config.where(f'{base}.Capabilities')}: gok ignores Capabilities, so the program has none "
                "in its file; what init starts runs as root"
            )
    if config.flags.overwrite_init:
        yield (
            f"{config.where('$.InternalCompatibilityFlags.OverwriteInit')}: OverwriteInit makes gok write init's "
            "source to a file and no image; it is ignored here"
        )

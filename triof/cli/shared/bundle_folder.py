"""Finds the bundle that a command names."""

from pathlib import Path

import click

from triof.cli import load_settings
from triof.models.bundle_store import Store


def find_bundle(ctx: click.Context, name: str) -> Path:
    """Return the folder of a bundle: ``name`` is that folder, or a version as in `triof bundles list`.

    Raises BundleRefused.
    """
    if Path(name).is_dir():
        return Path(name)
    store = Store(load_settings(ctx).settings)
    return store.folder(*store.find(name)[0])

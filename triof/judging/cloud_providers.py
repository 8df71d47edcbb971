"""Tells the providers in the cloud from those on this machine, by the settings; no provider is built or asked."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

import providers
from providers.base import TASKS, Allowance, Metered, ProviderError
from providers.options import CloudOptions
from triof.settings.tree import Settings


def in_routes(settings: Settings) -> list[str]:
    """The names of the providers of the routes that are in the cloud, in the order of the routes."""
    return [name for name in _routed(settings) if _is_cloud(name, settings)]


def known(settings: Settings) -> Collection[str]:
    """The same with those that no route names, as they may have answered before."""
    return {name for name in (*providers.PROVIDERS, *_routed(settings)) if _is_cloud(name, settings)}


def left_out(settings: Settings) -> Mapping[str, str]:
    """The cloud providers of the routes that are not set up, each with what to do in order to have it."""
    options = {name: _options(name, settings) for name in in_routes(settings)}
    return {
        name: found.remedy for name, found in options.items() if isinstance(found, CloudOptions) and not found.is_set
    }


def allowances(settings: Settings) -> Mapping[str, Allowance]:
    """The allowance of each cloud provider of the routes that is set up and whose calls are counted."""
    missing = left_out(settings)
    options = {name: _options(name, settings) for name in in_routes(settings) if name not in missing}
    return {name: found.allowance for name, found in options.items() if isinstance(found, Metered)}


def _routed(settings: Settings) -> Iterator[str]:
    """The names in the routes, each once."""
    yield from dict.fromkeys(name for task in TASKS for name in settings.routes[task])


def _is_cloud(name: str, settings: Settings) -> bool:
    """Whether the provider needs the network; a class is loaded only where no options tell."""
    options = _options(name, settings)
    if options is not None or name in providers.PROVIDERS:
        return isinstance(options, CloudOptions)
    with suppress(ProviderError):
        return providers.load(name).needs_network
    return False


def _options(name: str, settings: Settings) -> Any:
    return getattr(settings, name, None)

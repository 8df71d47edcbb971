"""Tells cloud providers from local ones by the settings, without building or calling a provider."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

import providers
from providers.base import TASKS, Allowance, Metered, ProviderError
from providers.options import CloudOptions
from triof.settings.tree import Settings


def in_routes(settings: Settings) -> list[str]:
    """Return the names of the cloud providers in the routes, in the order of the routes."""
    return [name for name in _routed(settings) if _is_cloud(name, settings)]


def known(settings: Settings) -> Collection[str]:
    """Return the same with cloud providers in no route, as they may have answered before."""
    return {name for name in (*providers.PROVIDERS, *_routed(settings)) if _is_cloud(name, settings)}


def left_out(settings: Settings) -> Mapping[str, str]:
    """Return the cloud providers of the routes that are not configured, each with the remedy."""
    options = {name: _options(name, settings) for name in in_routes(settings)}
    return {
        name: found.remedy for name, found in options.items() if isinstance(found, CloudOptions) and not found.is_set
    }


def allowances(settings: Settings) -> Mapping[str, Allowance]:
    """Return the allowance of each configured cloud provider of the routes whose calls are counted."""
    missing = left_out(settings)
    options = {name: _options(name, settings) for name in in_routes(settings) if name not in missing}
    return {name: found.allowance for name, found in options.items() if isinstance(found, Metered)}


def in_use(settings: Settings) -> Mapping[str, CloudOptions]:
    """Return the options of each registered cloud provider of the routes that is configured."""
    missing = left_out(settings)
    options = {name: _options(name, settings) for name in in_routes(settings) if name not in missing}
    return {name: found for name, found in options.items() if isinstance(found, CloudOptions)}


def retired(name: str, options: CloudOptions) -> str:
    """Return what a technician is told of a service that the vendor has switched off."""
    return f"The service behind {name} is retired: {options.without_service}."


def _routed(settings: Settings) -> Iterator[str]:
    """Yield the distinct names in the routes."""
    yield from dict.fromkeys(name for task in TASKS for name in settings.routes[task])


def _is_cloud(name: str, settings: Settings) -> bool:
    """Return whether the provider needs the network; loads its class only if the options do not tell."""
    options = _options(name, settings)
    if options is not None or name in providers.PROVIDERS:
        return isinstance(options, CloudOptions)
    with suppress(ProviderError):
        return providers.load(name).needs_network
    return False


def _options(name: str, settings: Settings) -> Any:
    return getattr(settings, name, None)

"""The providers, which answer what a photo shows. Each has its own folder or module here."""

from importlib import import_module
from typing import cast

from providers.base import Provider, ProviderMisconfigured

PROVIDERS = {
    "custom_vision": "providers.custom_vision.provider:CustomVision",
    "fake": "providers.fake:FakeProvider",
    "local_cnn": "providers.local_cnn.provider:LocalCnn",
    "onnx": "providers.onnx.provider:Onnx",
    "rekognition": "providers.rekognition.provider:Rekognition",
}

_NEEDED = ("needs_network", "predict", "ping", "close")


def names_a_class(name: str) -> bool:
    """Return whether ``name`` has the form ``module:Class``; the module is not imported."""
    module, _, attribute = name.partition(":")
    return attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def load(name: str) -> type[Provider]:
    """Import and return a provider's class. ``name`` is registered above or has the form ``module:Class``.

    Raises ProviderMisconfigured for any other name, and for a class that does not implement Provider.
    """
    place = PROVIDERS.get(name, name)
    if not names_a_class(place):
        known = ", ".join(sorted(PROVIDERS))
        raise ProviderMisconfigured(f"No provider is called {name!r}: use one of {known}, or module:Class")
    module, _, attribute = place.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    # A foreign module may raise anything while it is imported.
    except Exception as error:
        raise ProviderMisconfigured(
            f"Provider {name!r} cannot be loaded ({error}): install it, or mend the routes"
        ) from error
    missing = [needed for needed in _NEEDED if not hasattr(found, needed)]
    if missing or not isinstance(found, type):
        raise ProviderMisconfigured(
            f"{name!r} is no provider ({'it lacks ' + ', '.join(missing) if missing else 'it is no class'}): see"
            " providers/base.py, or mend the routes"
        )
    return cast(type[Provider], found)

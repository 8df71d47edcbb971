"""What does this photo show? Each provider lives in a folder or module of its own beside this file."""

from importlib import import_module
from typing import cast

from providers.base import Provider, ProviderMisconfigured

PROVIDERS = {
    "fake": "providers.fake:FakeProvider",
    "local_cnn": "providers.local_cnn.provider:LocalCnn",
}


def load(name: str) -> type[Provider]:
    """The class of a provider, imported only now; ``name`` is registered above or any ``module:Class``.

    Raises ProviderMisconfigured for a name that is neither.
    """
    module, _, attribute = PROVIDERS.get(name, name).partition(":")
    if not attribute:
        known = ", ".join(sorted(PROVIDERS))
        raise ProviderMisconfigured(f"No provider is called {name!r}: use one of {known}, or module:Class")
    try:
        return cast(type[Provider], getattr(import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise ProviderMisconfigured(f"Provider {name!r} cannot be loaded: {error}") from error

"""Tokens of Microsoft Entra ID in place of keys; the only module that imports azure-identity.

A token is fetched when there is none or it is about to expire; the vendor's library keeps it until then.
"""

import re
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import requests

from providers.base import ProviderError, ProviderMisconfigured, ProviderUnavailable
from providers.custom_vision.entra_options import EntraOptions
from providers.network_errors import causes

SCOPE = "https://cognitiveservices.azure.com/.default"
"""The audience that the service expects, whatever the resource is called."""
_SECONDS = 5
_CACHE = "triof"
"""Name of the file of tokens that a sign-in leaves in the user's folder ``.IdentityService``."""


class EntraToken:
    """The token of one identity. Thread-safe."""

    def __init__(self, options: EntraOptions) -> None:
        """Raises ProviderMisconfigured if the settings are incomplete or azure-identity is missing."""
        self._lock = Lock()
        try:
            self._credential = _credential(options)
        except ImportError as error:
            raise ProviderMisconfigured("Entra ID needs azure-identity: pip install 'triof[entra]'.") from error
        except ValueError as error:
            raise ProviderMisconfigured(f"The settings custom_vision.entra are no use: {error}") from error

    def get(self) -> str:
        """Return a valid token. Raises ProviderError."""
        try:
            with self._lock:
                return str(self._credential.get_token(SCOPE).token)
        except Exception as error:
            raise _fault(error) from error


def sign_in(options: EntraOptions, say: Callable[[str, str], None]) -> str:
    """Sign a person in by device code and keep it; return the name of the account. Raises ProviderError, OSError.

    ``say`` gets the address to open and the code to enter there.
    """
    try:
        credential = _device_code(options, prompt=say)
        record = credential.authenticate(scopes=[SCOPE])
    except ImportError as error:
        raise ProviderMisconfigured("Entra ID needs azure-identity: pip install 'triof[entra]'.") from error
    except Exception as error:
        raise _fault(error) from error
    options.kept_login.parent.mkdir(parents=True, exist_ok=True)
    # No secret: the tokens are in the cache.
    options.kept_login.write_text(record.serialize(), encoding="utf-8")
    return str(record.username)


def _credential(options: EntraOptions) -> Any:
    from azure import identity

    if options.kind == "managed_identity":
        return identity.ManagedIdentityCredential(client_id=options.client_id, **_limits())
    if options.kind == "service_principal":
        tenant, client, secret = options.check_principal()
        return identity.ClientSecretCredential(
            tenant,
            client,
            secret,
            disable_instance_discovery=bool(options.authority),
            **_limits(),
            **_authority(options),
        )
    return _device_code(options)


def _device_code(options: EntraOptions, prompt: Callable[[str, str], None] | None = None) -> Any:
    from azure import identity

    def told(address: str, code: str, _expires: object) -> None:
        if prompt:
            prompt(address, code)

    record = _record(options.kept_login) if prompt is None else None
    # Who signed in, and where, stands in the record.
    known = {} if record else {"client_id": options.client_id, "tenant_id": options.tenant_id, **_authority(options)}
    return identity.DeviceCodeCredential(
        **{name: value for name, value in known.items() if value},
        prompt_callback=told,
        # A machine in service must never wait for a person.
        disable_automatic_authentication=prompt is None,
        authentication_record=record,
        disable_instance_discovery=bool(options.authority),
        cache_persistence_options=identity.TokenCachePersistenceOptions(name=_CACHE, allow_unencrypted_storage=True),
        **_limits(),
    )


def _record(file: Path) -> Any:
    from azure import identity

    try:
        return identity.AuthenticationRecord.deserialize(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _authority(options: EntraOptions) -> dict[str, Any]:
    """Return the options for another authority than Microsoft's public one."""
    return {"authority": options.authority} if options.authority else {}


def _limits() -> dict[str, Any]:
    return {"connection_timeout": _SECONDS, "read_timeout": _SECONDS, "retry_total": 0}


def _fault(error: Exception) -> ProviderError:
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError
    from azure.identity import AuthenticationRequiredError, CredentialUnavailableError

    fault: ProviderError
    unreached = (ServiceRequestError, ServiceResponseError, requests.ConnectionError, requests.Timeout)
    match error:
        case _ if any(isinstance(cause, unreached) for cause in causes(error)):
            fault = ProviderUnavailable("Entra ID cannot be reached: check network, proxy and REQUESTS_CA_BUNDLE.")
        case AuthenticationRequiredError():
            fault = ProviderMisconfigured("No login to Entra ID holds here: run `triof azure login`.")
        case CredentialUnavailableError():
            fault = ProviderMisconfigured(
                "This computer has no managed identity: it has to be in Azure or Azure Arc; elsewhere set"
                " custom_vision.entra.kind to service_principal."
            )
        case ClientAuthenticationError():
            code = re.search(r"AADSTS\d+", str(error))
            named = f" ({code[0]})" if code else ""
            fault = ProviderMisconfigured(
                f"Entra ID refuses the identity{named}: check custom_vision.entra, and that its secret has not expired."
            )
        case _:
            fault = ProviderMisconfigured(f"Entra ID gives no token ({type(error).__name__}): see custom_vision.entra.")
    fault.sent = False
    return fault


def check_host(endpoint: str) -> None:
    """Raise ProviderMisconfigured for an address of a region, at which tokens do not count."""
    if (urlsplit(endpoint).hostname or "").endswith(".api.cognitive.microsoft.com"):
        raise ProviderMisconfigured(
            "Entra ID needs the resource's own address, https://NAME.cognitiveservices.azure.com: give the resource a"
            " custom subdomain, as docs/guide/azure.md tells."
        )

"""The settings of Microsoft Entra ID, which replace keys."""

from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import BeforeValidator

from providers.base import ProviderMisconfigured
from providers.cloud_options import Address, File, Secret, Text, unset_if_empty
from providers.options import Options
from providers.text_files import decoded

EntraKind = Literal["managed_identity", "service_principal", "device_code"]


class EntraOptions(Options):
    """Who asks for a token; without ``kind`` the keys count."""

    kind: Annotated[EntraKind | None, BeforeValidator(unset_if_empty)] = None
    tenant_id: Text = None
    client_id: Text = None
    """Of the service principal or application, or of a user-assigned managed identity."""
    client_secret: Secret = None
    client_secret_file: File = None
    authority: Address = None
    """``https://…`` of a national cloud's sign-in; None: the public one."""
    login_file: File = None
    """Who signed in by device code; None: in the user's data folder."""

    @property
    def kept_login(self) -> Path:
        """The file that says who signed in."""
        return self.login_file or Path(platformdirs.user_data_dir("triof", appauthor=False)) / "azure-login.json"

    def check_principal(self) -> tuple[str, str, str]:
        """Return tenant, client and secret of the service principal. Raises ProviderMisconfigured."""
        secret = self.client_secret.get_secret_value() if self.client_secret else self._read_secret()
        if not (self.tenant_id and self.client_id and secret.strip()):
            raise ProviderMisconfigured(
                "A service principal needs custom_vision.entra.tenant_id, .client_id and .client_secret or"
                " .client_secret_file."
            )
        return self.tenant_id, self.client_id, secret.strip()

    def _read_secret(self) -> str:
        if not self.client_secret_file:
            return ""
        try:
            return decoded(self.client_secret_file.read_bytes())
        except (OSError, UnicodeDecodeError) as error:
            raise ProviderMisconfigured(
                f"The file {self.client_secret_file} cannot be read ({type(error).__name__}): give it to this user, or"
                " mend custom_vision.entra.client_secret_file."
            ) from None

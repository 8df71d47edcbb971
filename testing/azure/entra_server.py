"""Microsoft Entra ID and the identity endpoint of a computer in Azure, on loopback: what azure-identity asks them."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import get_args
from urllib.parse import parse_qs, urlsplit

from testing.http_replies import WIRE_CANNED, Reply, WireFault
from testing.loopback_service import Request, Service

SCOPE = "https://cognitiveservices.azure.com/.default"
TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"


def _json(content: Mapping[str, object], status: int = 200) -> Reply:
    return Reply(status, json.dumps(content).encode())


def _part(content: Mapping[str, object]) -> str:
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


class EntraServer(Service[WireFault]):
    """Gives tokens to one service principal, one person with a device code, and one managed identity.

    Set at any time: ``lifetime`` of a token in seconds, ``signed_in`` (whether the person has entered the code).
    Read: ``issued`` (all tokens), ``grants`` (the kind of each request for one).
    """

    def __init__(self, *, tls: bool = True) -> None:
        super().__init__(get_args(WireFault), WIRE_CANNED, tls=tls)
        self.secret = "s3cret-of-the-principal"
        self.header = "s3cret-of-the-computer"
        self.lifetime = 3600
        self.signed_in = True
        self.revoked = False
        self.issued: list[str] = []
        self.grants: list[str] = []

    def judge(self, request: Request) -> tuple[Reply, WireFault | None]:
        """The answer, and the fault by which it is delivered."""
        if canned := self.canned.get(self._fault):
            return canned, self._fault
        path = urlsplit(request.path).path
        if path.endswith("/.well-known/openid-configuration"):
            return self._configuration(), None
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if path == "/msi/token":
            return self._managed(request), self._fault
        if path == f"/{TENANT}/oauth2/v2.0/devicecode":
            return self._device_code(form), None
        if path == f"/{TENANT}/oauth2/v2.0/token":
            return self._token(form), self._fault
        return Reply(404), None

    def _configuration(self) -> Reply:
        start = f"{self.endpoint}/{TENANT}"
        return _json(
            {
                "issuer": f"{start}/v2.0",
                "authorization_endpoint": f"{start}/oauth2/v2.0/authorize",
                "token_endpoint": f"{start}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{start}/oauth2/v2.0/devicecode",
            }
        )

    def _device_code(self, form: Mapping[str, str]) -> Reply:
        if form.get("client_id") != CLIENT or SCOPE not in form.get("scope", ""):
            return self._refusal("AADSTS700016: Application not found.")
        told = {
            "device_code": "device",
            "user_code": "ABC123",
            "verification_uri": "https://microsoft.test/devicelogin",
        }
        return _json({**told, "expires_in": 900, "interval": 1, "message": "Open it."})

    def _token(self, form: Mapping[str, str]) -> Reply:
        grant = form.get("grant_type", "").rpartition(":")[2]
        self.grants.append(grant)
        if form.get("client_id") != CLIENT or SCOPE not in form.get("scope", SCOPE):
            return self._refusal("AADSTS700016: Application not found.")
        if self.revoked:
            return self._refusal("AADSTS50173: The provided grant has expired.", "invalid_grant")
        match grant:
            case "client_credentials":
                if form.get("client_secret") != self.secret:
                    return self._refusal("AADSTS7000215: Invalid client secret provided.")
                return _json({"token_type": "Bearer", "expires_in": self.lifetime, "access_token": self._issue()})
            case "device_code" | "refresh_token":
                if grant == "device_code" and not self.signed_in:
                    return self._refusal("AADSTS70016: pending", "authorization_pending")
                return self._for_person()
        return self._refusal("AADSTS70003: unsupported grant")

    def _for_person(self) -> Reply:
        now = int(time.time())
        claims = {"aud": CLIENT, "iss": f"{self.endpoint}/{TENANT}/v2.0", "tid": TENANT, "oid": "marie", "sub": "marie"}
        person = {**claims, "preferred_username": "marie@example.org", "iat": now, "exp": now + 3600}
        return _json(
            {
                "token_type": "Bearer",
                "expires_in": self.lifetime,
                "scope": f"{SCOPE} openid profile offline_access",
                "access_token": self._issue(),
                "refresh_token": "s3cret-refresh",
                "id_token": f"{_part({'alg': 'none'})}.{_part(person)}.x",
                "client_info": _part({"uid": "marie", "utid": TENANT}),
            }
        )

    def _managed(self, request: Request) -> Reply:
        self.grants.append("managed_identity")
        asked = parse_qs(urlsplit(request.path).query)
        if request.headers.get("X-IDENTITY-HEADER") != self.header:
            return _json({"error": {"code": "unauthorized_client"}}, 401)
        if asked.get("resource") != [SCOPE.removesuffix("/.default")]:
            return _json({"error": {"code": "invalid_resource"}}, 400)
        expires = str(int(time.time()) + self.lifetime)
        content = {"access_token": self._issue(), "expires_on": expires, "resource": asked["resource"][0]}
        return _json({**content, "token_type": "Bearer"})

    def _issue(self) -> str:
        self.issued.append(f"token-{len(self.issued)}-of-entra")
        return self.issued[-1]

    def _refusal(self, message: str, error: str = "invalid_client") -> Reply:
        return _json({"error": error, "error_description": message}, 400 if error != "invalid_client" else 401)

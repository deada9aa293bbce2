"""The keys of a Supabase project: JWTs signed with its secret, and the newer keys that are no JWTs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any


class Refused(Exception):  # noqa: N818 - named for what became of the request
    """A key that the gateway or PostgREST does not take."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body.get("message"))
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Keys:
    """A project's keys; `role_of` says what each may do."""

    jwt_secret: str = "a-secret-of-at-least-32-characters-for-tests"
    secret_key: str = "sb_secret_b7kXW0m9eJtVq2Lr5NfYpA_8cHd1RsU"
    publishable_key: str = "sb_publishable_W1nQz8TgBv4KxM3yEoLaJc_6rPs0Fid"

    @property
    def service_key(self) -> str:
        """The JWT of service_role."""
        return self.signed({"iss": "supabase", "role": "service_role", "exp": 4_000_000_000})

    @property
    def anon_key(self) -> str:
        """The JWT of anon."""
        return self.signed({"iss": "supabase", "role": "anon", "exp": 4_000_000_000})

    def signed(self, claims: dict[str, Any]) -> str:
        """A JWT with these claims (RFC 7519, HS256)."""
        head = _part({"alg": "HS256", "typ": "JWT"}) + "." + _part(claims)
        return f"{head}.{self._signature(head)}"

    def role_of(self, apikey: str | None, authorization: str | None, now: float) -> str:
        """The database role of a request, as the gateway and PostgREST work it out from its two headers."""
        if not apikey:
            raise Refused(
                401, {"message": "No API key found in request", "hint": "No `apikey` request header"}
            )
        known = {self.secret_key: "service_role", self.publishable_key: "anon"}
        if apikey not in known:
            self._verified(apikey, now, gateway=True)
        bearer = (authorization or "").removeprefix("Bearer ").strip()
        if apikey in known and bearer in {"", apikey}:
            return known[apikey]
        return str(self._verified(bearer or apikey, now, gateway=False).get("role", "anon"))

    def _verified(self, token: str, now: float, *, gateway: bool) -> dict[str, Any]:
        invalid = {
            "message": "Invalid API key",
            "hint": "Double check your Supabase `anon` or `service_role` API key.",
        }
        undecodable = {
            "code": "PGRST301",
            "message": "No suitable key or wrong key type",
            "details": None,
            "hint": None,
        }
        head, _, signature = token.rpartition(".")
        if head.count(".") != 1 or not hmac.compare_digest(signature, self._signature(head)):
            raise Refused(401, invalid if gateway else undecodable)
        body = head.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if claims.get("exp", now) < now:
            expired = {"code": "PGRST303", "message": "JWT expired", "details": None, "hint": None}
            raise Refused(401, expired)
        return claims

    def _signature(self, head: str) -> str:
        digest = hmac.digest(self.jwt_secret.encode(), head.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

"""Keys: who may use the service, and whose a job is."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from moodline.core.hashing import text_hash
from moodline.service.errors import ServiceError

NOBODY = ""
"""The owner where the service has no keys."""


class Keys:
    """The keys of a service. Only their hashes are kept.

    Args:
        keys: tokens; none where everybody may use the service.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._hashes = [text_hash(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def owner(self, authorization: str | None) -> str:
        """The owner of what a request makes: the hash of its key.

        Args:
            authorization: the header of that name, ``Bearer KEY``.

        Raises:
            ServiceError: 401, the service has keys and the request carries none of them.
        """
        if not self._hashes:
            return NOBODY
        scheme, _, key = (authorization or "").partition(" ")
        given = text_hash(key.strip())
        matches = [h for h in self._hashes if hmac.compare_digest(h, given)]  # all are compared: no time is told
        if scheme.lower() != "bearer" or not matches:
            raise ServiceError(
                401,
                "a key of this service is needed",
                "none" if not authorization else "another one",
                "Send the header: Authorization: Bearer KEY.",
            )
        return matches[0]

"""How a vendor takes a key, and how it words a refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from watchkeeper.sandbox.effects import Effect, too_many
from watchkeeper.sandbox.exchange import Answer, error, page
from watchkeeper.sandbox.rate import Allowance


@dataclass(frozen=True, slots=True)
class Manners:
    """`base`: what comes before every path of the API. `open_paths` need no key.

    `reset`: the rate headers count the seconds left, or name the second since the epoch.
    """

    no_key: Answer
    bad_key: Answer
    forbidden: Answer
    base: str = "/v1"
    header: str = "Authorization"
    scheme: str = "Bearer"
    open_paths: frozenset[str] = frozenset()
    reset: Literal["delta", "epoch"] = "delta"
    retry_after: bool = False

    def key_in(self, headers: Mapping[str, str]) -> str:
        """The key that came, or nothing. `headers` are by lower-case names."""
        value = headers.get(self.header.lower(), "").strip()
        if not self.scheme:
            return value
        scheme, _, key = value.partition(" ")
        return key.strip() if scheme.lower() == self.scheme.lower() else ""

    def refusal(self, effect: Effect) -> Answer | None:
        """What a fault answers; None where it lets the request through."""
        if not effect.cause:
            return None
        if effect.whole is not None:
            said = effect.whole
            return Answer(said.status, said.text.encode(), said.content_type, said.headers)
        if effect.location:
            headers = {"Location": effect.location}
            return replace(page(effect.status, effect.error), headers=headers)
        if effect.html:
            return page(effect.status, effect.error)
        if effect.status == 429 and effect.allowance:
            return self.too_many(effect.allowance)
        own = {401: self.bad_key, 403: self.forbidden}
        return own.get(effect.status) or error(effect.status, effect.error)

    def too_many(self, allowance: Allowance) -> Answer:
        said = error(429, too_many(allowance))
        headers = {"Retry-After": str(allowance.wait_s)} if self.retry_after else {}
        return replace(said, headers=headers)

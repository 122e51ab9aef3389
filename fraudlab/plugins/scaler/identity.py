"""Leave the numbers as they are."""

from __future__ import annotations

from fraudlab.preprocess import Floats, IdentityScaler
from fraudlab.registry import register


@register("scaler", "identity")
def identity() -> Identity:
    """No scaling; trees do not need any."""
    return Identity()


class Identity:
    """Learns nothing."""

    def fit(self, numbers: Floats) -> IdentityScaler:
        """Return the identity."""
        return IdentityScaler()

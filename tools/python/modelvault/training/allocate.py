"""Shares a vault's bytes out among departments."""

from typing import Dict, Mapping, Optional

from .errors import AttachError

# What a department loses is taken to fall as its bytes to this power. A choice, not a measurement: train a few
# departments at two budgets to find yours.
DECAY = 1.0


def allocate(total_bytes: float, needs: Mapping[str, float], *, decay: float = DECAY, least: float = 0.0,
             most: Optional[float] = None) -> Dict[str, float]:
    """Bytes for each department, `total_bytes` in all, so that the sum of losses is least if a department's loss is
    need * bytes ** -decay: then bytes go as need ** (1 / (1 + decay)), the point where a byte buys the same everywhere
    (H. Everett, Operations Research 11, 1963).

    needs: for example the divergence of each float fine-tune from the base, in nats.
    least, most: bounds of a department's bytes; what they free or take is shared out among the others."""
    if not needs:
        return {}
    if not decay > 0:
        raise AttachError(f"decay must be positive, not {decay}")
    most = float("inf") if most is None else most
    if least > most or least * len(needs) > total_bytes:
        raise AttachError(f"{len(needs)} departments of {least:.0f} to {most:.0f} bytes do not go into "
                          f"{total_bytes:.0f}")
    for name, need in needs.items():
        if not 0 <= need < float("inf"):
            raise AttachError(f"the need of '{name}' is {need}; expected a finite number, 0 or more")
    if total_bytes >= most * len(needs):
        return {name: most for name in needs}
    # A department that differs by nothing gets next to nothing, but a share, so that shares can be found.
    shares = {name: max(need, 1e-9) ** (1 / (1 + decay)) for name, need in needs.items()}
    low, high = 0.0, total_bytes / min(shares.values())
    for _ in range(200):
        middle = (low + high) / 2
        spent = sum(min(most, max(least, middle * share)) for share in shares.values())
        low, high = (middle, high) if spent < total_bytes else (low, middle)
    return {name: min(most, max(least, low * share)) for name, share in shares.items()}

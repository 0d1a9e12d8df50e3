"""How the figures of the general-utilities notebook look: radii and networks."""

from collections.abc import Sequence

from matplotlib.colors import to_hex, to_rgb

from replication.plotting import theme
from replication.plotting.theme import Look

KAPPA = {
    kappa: Look(f"κ = {kappa}", shade, marker=marker)
    for kappa, (shade, marker) in enumerate((("#e69f00", "o"), ("#d55e00", "s"), ("#8c4fa8", "D"), ("#1b2a7a", "^")))
}
FAMILIES = {"voter": "#0072b2", "ring": "#0072b2", "parity": "#009e73", "Glauber": "#aa3377", "power law": "#e69f00",
            "mean field": "#8c2d04"}  # fmt: skip


def network_looks(names: Sequence[str]) -> dict[str, Look]:
    """One colour per kind of network, darker for the later names of a kind (give them from weak to strong)."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(next((kind for kind in FAMILIES if name.startswith(kind)), name), []).append(name)
    return {
        name: Look(name, _lighter(FAMILIES.get(kind) or theme.colour(kind), 0.6 * (1 - (rank + 1) / len(members))),
                   theme.DASH if kind in ("power law", "mean field") else "-")
        for kind, members in kinds.items()
        for rank, name in enumerate(members)
    }  # fmt: skip


def _lighter(shade: str, share: float) -> str:
    """The colour with this share of white in it."""
    red, green, blue = (1.0 - (1.0 - share) * (1.0 - part) for part in to_rgb(shade))
    return to_hex((red, green, blue))

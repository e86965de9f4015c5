"""How many clips, how often, and by which rules: the protocols of the papers, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vidgen.errors import UserError


@dataclass(frozen=True)
class Protocol:
    """The rules of a paper.

    Attributes:
        name: As the user gives it.
        samples: Clips of a repeat.
        repeats: How often other clips are drawn.
        pipeline: C3D's preprocessing.
        epsilon: Inside the Inception score's logarithm, with C3D.
        real_passes: How often each real video is drawn; `None` draws as many real clips as
            generated ones.
    """

    name: str
    samples: int = 2048
    repeats: int = 1
    pipeline: Literal["tgan", "tganv2"] = "tgan"
    epsilon: float = 1e-7
    real_passes: int | None = None


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("default"),
        Protocol("tgan", samples=10_000, repeats=4),
        Protocol("tganv2", repeats=10, pipeline="tganv2", epsilon=1e-20, real_passes=10),
        Protocol("latent_ode", repeats=10, real_passes=10),
        Protocol("styleganv"),
    )
}


def protocol_named(name: str) -> Protocol:
    """The protocol of a name.

    Raises:
        UserError: There is none.
    """
    if name not in PROTOCOLS:
        raise UserError(f"--protocol {name}: there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]

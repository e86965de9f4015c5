"""The networks of a neural differential equation: its right-hand side and its initial state.

Source: Gordon and Parde (2020), "Latent Neural Differential Equations for Video Generation", and
the authors' code for the widths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn, stack
from torch.nn.modules.conv import _ConvNd


def dense_field(dim: int, hidden_dim: int | None = None, final_tanh: bool = False) -> nn.Sequential:
    """A right-hand side for states that are vectors; tanh keeps it Lipschitz.

    Args:
        dim: Size of the state.
        hidden_dim: Width of the layer between; `None` is one layer with tanh and no other.
        final_tanh: With two layers, end with tanh too (article); the authors' code does not.
    """
    if hidden_dim is None:
        return nn.Sequential(nn.Linear(dim, dim), nn.Tanh())
    layers = [nn.Linear(dim, hidden_dim), nn.Tanh(), nn.Linear(hidden_dim, dim)]
    return nn.Sequential(*layers, *[nn.Tanh()] * final_tanh)


def convolutional_field(channels: int, stochastic: bool = False) -> nn.Sequential:
    """A right-hand side for states that are feature maps, TGANv2's; it bounds nothing.

    Args:
        channels: Of the map.
        stochastic: ReLU as in the stochastic equation, where the ordinary one has LeakyReLU.
    """
    activation = nn.ReLU() if stochastic else nn.LeakyReLU(0.2)
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), activation)


def embedding_network(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers from width to width with LeakyReLU after each, the last one too.

    Args:
        widths: Of latent, hidden layers and result.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


class InitialState(nn.Module):
    """A latent → the state at time 0: the highest stored derivative first, the position last.

    A vector state of order 1 is the (embedded) latent itself; each component of a higher order,
    and a state of feature maps, has a linear encoder of its own.

    Args:
        latent_dim: Size of the latent.
        state_shape: Of one component: (features,) or (channels, height, width).
        order: Components.
        embedding: Widths of the hidden layers of the embedding; empty is no embedding.
    """

    def __init__(
        self,
        latent_dim: int,
        state_shape: tuple[int, ...],
        order: int = 1,
        embedding: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.state_shape = state_shape
        plain = order == 1 and len(state_shape) == 1
        embedded_dim = latent_dim
        if embedding:
            embedded_dim = state_shape[0] if len(state_shape) == 1 else latent_dim
        if plain and embedded_dim != state_shape[0]:
            raise ValueError(
                f"without an embedding the latent, {latent_dim} numbers with its conditions, would "
                f"have to be as large as the state, {state_shape[0]}; give widths for "
                "trajectory.embedding"
            )
        widths = [latent_dim, *embedding, embedded_dim]
        self.embedding = embedding_network(widths) if embedding else nn.Identity()
        self.encoders = nn.ModuleList(
            nn.Identity()
            if plain
            else nn.Sequential(
                nn.Linear(embedded_dim, math.prod(state_shape)), nn.Unflatten(1, state_shape)
            )
            for _ in range(order)
        )

    def forward(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch order ..."]:
        """The components of the state."""
        embedded = self.embedding(latent)
        return stack([encoder(embedded) for encoder in self.encoders], dim=1)


def initialize_equation_(module: nn.Module, glorot: bool) -> None:
    """Draws weights and biases anew by torch's own rule, then weights by Glorot's if asked.

    Args:
        module: Changed in place.
        glorot: Weights uniform with gain √2 (TGAN's and TGANv2's equations).
    """
    for part in module.modules():
        if isinstance(part, _ConvNd | nn.Linear):
            part.reset_parameters()
            if glorot:
                nn.init.xavier_uniform_(part.weight, gain=math.sqrt(2))

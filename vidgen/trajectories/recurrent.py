"""MoCoGAN's motion network: a recurrent cell, driven by fresh noise, walks through motion codes.

Source: MoCoGAN (Tulyakov et al., 2018), §3, the network R_M of Figure 2.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class RecurrentTrajectory(nn.Module):
    """A starting state and one input a moment → one code a moment, by a gated recurrent unit.

    A code is the cell's state itself; there is no layer behind it. Being driven from outside it has
    no length of its own: the inputs say how far it walks, and the first codes of a long walk are
    those of a short one.

    Args:
        input_dim: Size of a moment's input: noise, and a category if that drives the motion.
        frame_dim: Size of a code and of the state.
    """

    def __init__(self, input_dim: int = 10, frame_dim: int = 10) -> None:
        super().__init__()
        self.input_dim, self.frame_dim = input_dim, frame_dim
        self.cell = nn.GRUCell(input_dim, frame_dim)

    def forward(
        self,
        start: Float[Tensor, "batch frame"],
        inputs: Float[Tensor, "batch time input"],
    ) -> Float[Tensor, "batch time frame"]:
        """The codes after each input; `start` itself is not among them."""
        # Always in float32: rounding would add up along the walk, and the cell costs nothing.
        with torch.autocast(start.device.type, enabled=False):
            state, codes = start.float(), []
            # One cell a moment, not nn.GRU: its joined product over all moments rounds
            # differently for each length, so a prefix would only nearly be the same.
            for moment in inputs.float().unbind(dim=1):
                state = self.cell(moment, state)
                codes.append(state)
        if not codes:
            return start.new_zeros(len(start), 0, self.frame_dim)
        return torch.stack(codes, dim=1)

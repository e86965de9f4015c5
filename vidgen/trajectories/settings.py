"""Which differential equation moves a latent: what a recipe writes, and what is built of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from vidgen.trajectories.differential import DifferentialTrajectory, NeuralODE, NeuralSDE
from vidgen.trajectories.fields import InitialState, convolutional_field, dense_field

EquationName = Literal["ode1", "ode2", "ode3", "sde"]
FieldName = Literal["single_layer", "two_layers", "equal_parameters", "convolutional"]


@dataclass(frozen=True)
class PublishedEquation:
    """What a host game's published runs have wherever the settings leave it open.

    Attributes:
        field: Form of the right-hand side.
        hidden_dim: Width of the form "equal_parameters".
        embedding: Widths of the embedding's hidden layers.
        glorot: Draw weights by Glorot's rule with gain √2; torch's own rule otherwise.
    """

    field: FieldName
    hidden_dim: int
    embedding: tuple[int, ...] = ()
    glorot: bool = False


@dataclass(frozen=True)
class DifferentialSettings:
    """A neural differential equation in the place of a game's own trajectory.

    Args:
        family: "ode" is an ordinary equation, "sde" a stochastic one.
        order: Order of an ordinary equation, 1 to 3; the highest derivative is learned.
        field: Form of the right-hand side: one layer, two, two of which the first is as wide as
            gives the game's own number of weights, or a convolution. `None` is the game's best.
        hidden_dim: Width of "equal_parameters"; `None` is the published one.
        embedding: Widths of the hidden layers between the latent and the initial state; empty
            integrates the latent itself, `None` is as published.
        drive: What the highest derivative depends on: the "position" (article), or the "top", the
            highest derivative that is stored (authors' code).
        final_tanh: End a right-hand side of two layers with tanh, as the article's formula does.
        steps_per_frame: Steps of the solver from frame to frame; `None` is 1 for an ordinary
            equation, and for a stochastic one as many as keep a step below 0.025 of the clip.
    """

    family: Literal["ode", "sde"] = "ode"
    order: Literal[1, 2, 3] = 1
    field: FieldName | None = None
    hidden_dim: int | None = None
    embedding: tuple[int, ...] | None = None
    drive: Literal["position", "top"] = "position"
    final_tanh: bool = False
    steps_per_frame: int | None = None

    def __post_init__(self) -> None:
        if self.family == "sde" and self.order != 1:
            raise ValueError(f"order is {self.order}, but a stochastic equation has order 1")
        for name in ("hidden_dim", "steps_per_frame"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be 1 or more")

    def build(
        self,
        published: PublishedEquation,
        latent_dim: int,
        state_shape: tuple[int, ...],
        num_frames: int,
    ) -> DifferentialTrajectory:
        """The trajectory of these settings in a host game.

        Args:
            published: The host's own choices, for what is `None` here.
            latent_dim: Size of a clip's latent, conditions joined to it counted in.
            state_shape: Of a frame's latent: (features,) or (channels, height, width).
            num_frames: Frames of a trained clip.

        Raises:
            ValueError: The parts do not fit each other.
        """
        embedding = published.embedding if self.embedding is None else self.embedding
        initial = InitialState(latent_dim, state_shape, self.order, embedding)
        drift = self._field(published, state_shape)
        if self.family == "sde":
            diffusion = self._field(published, state_shape)
            trajectory = NeuralSDE(initial, drift, diffusion, num_frames, self.steps_per_frame)
        else:
            steps = self.steps_per_frame or 1
            trajectory = NeuralODE(initial, drift, num_frames, self.drive, steps)
        trajectory.glorot = published.glorot
        trajectory.initialize_()
        return trajectory

    def _field(self, published: PublishedEquation, state_shape: tuple[int, ...]) -> nn.Module:
        form = self.field or published.field
        if (form == "convolutional") != (len(state_shape) == 3):
            raise ValueError(
                f"field {form} does not fit a state of shape {state_shape}: feature maps take "
                "convolutional, vectors all others"
            )
        if form == "convolutional":
            return convolutional_field(state_shape[0], self.family == "sde")
        hidden_dims = {
            "single_layer": None,
            "two_layers": state_shape[0],
            "equal_parameters": self.hidden_dim or published.hidden_dim,
        }
        return dense_field(state_shape[0], hidden_dims[form], self.final_tanh)


_NAMED: dict[EquationName, DifferentialSettings] = {
    "ode1": DifferentialSettings(),
    "ode2": DifferentialSettings(order=2),
    "ode3": DifferentialSettings(order=3),
    "sde": DifferentialSettings(family="sde"),
}


def named_equation(chosen: EquationName | DifferentialSettings) -> DifferentialSettings:
    """The settings that a short name stands for; settings are returned as they are."""
    return _NAMED[chosen] if isinstance(chosen, str) else chosen

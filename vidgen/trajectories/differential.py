"""Neural differential equations as trajectories.

Cade Gordon and Natalie Parde, "Latent Neural Differential Equations for Video Generation", 2020.
The latents of a clip's frames are the states of one equation, dz/dt = f(z), that starts from the
clip's latent; networks of the host game before and behind it stay what they are.

    latent → embedding, encoders → state at t = 0, frame 0's latent
    state at frame k → one Runge-Kutta step (or a few of Euler-Maruyama) → state at frame k + 1

Time is counted in frames: frame k of the T trained ones is t = k/(T − 1) in the article. A frame
may lie at any time. The solver always walks over the same nodes, whole frames or fixed parts of
them, and reaches a time between two nodes by one shorter step from the node before; so a state is
a function of its own time alone, and frames at a higher rate, beyond the trained length or before
the first frame go with the others exactly.

Where this differs from the paper
    - Gradients go through the solver's steps; the authors' code solves an adjoint equation, which
      for 15 steps saves nothing and is not exact.
    - f of two layers has tanh between them (code); `final_tanh` adds the article's second.
    - Of an equation of higher order f sees the position (article); `drive="top"` is the code,
      where it sees the highest stored derivative and the position never acts back.
    - The stochastic equation takes 3 steps of 1/45 from frame to frame; the code takes 40 of 0.025
      a clip and interpolates its frames linearly between them.
    - Right-hand sides are always float32, in mixed precision too.
    - Truncation shrinks the latent that an equation starts from, not the noise on its way.
Written from the paper; no code was taken from the authors' repository.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal, NoReturn

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vidgen.errors import UserError
from vidgen.trajectories.base import Trajectory
from vidgen.trajectories.brownian import BrownianPath
from vidgen.trajectories.fields import InitialState, initialize_equation_
from vidgen.trajectories.solvers import ordinary_states, stochastic_states

_LONGEST_STEP = 0.025  # of the stochastic solver, in the article's time; the authors' own
_SAME_TIME = 1e-6  # steps; a time this near to a node is the node's


class DifferentialTrajectory(Trajectory):
    """The states of an equation at the times of frames.

    Args:
        initial: Latent → state at time 0.
        num_frames: Frames of a trained clip, which last for the article's t from 0 to 1.
        steps_per_frame: Steps of the solver from frame to frame.

    Attributes:
        stochastic: Whether clips need seeds of their paths.
        glorot: Whether `initialize_` draws weights by Glorot's rule; see `initialize_equation_`.
        step: Length of a step of the solver in the article's time.
    """

    stochastic: bool = False
    glorot: bool = False

    def __init__(self, initial: InitialState, num_frames: int, steps_per_frame: int) -> None:
        super().__init__()
        if num_frames < 1:
            raise ValueError(f"num_frames is {num_frames}; it must be 1 or more")
        self.initial, self.num_frames = initial, num_frames
        self.frame_dim = initial.state_shape[0]
        self.steps_per_frame = steps_per_frame
        self.step = 1 / max(num_frames - 1, 1) / steps_per_frame

    def initialize_(self) -> None:
        """Draws all weights anew."""
        initialize_equation_(self, self.glorot)

    def forward(
        self,
        latent: Float[Tensor, "batch latent"],
        num_frames: int | None = None,
        path_seeds: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch time ..."]:
        """The states of frames 0 to num_frames − 1; `None` is the trained length."""
        length = self.num_frames if num_frames is None else num_frames
        return self.at(latent, range(length), path_seeds)

    def at(
        self,
        latent: Float[Tensor, "batch latent"],
        times: Sequence[int | float],
        path_seeds: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch time ..."]:
        """The states at any times, in the order in which they are given.

        Args:
            latent: One a clip.
            times: In frames; between frames, beyond the last and before the first too.
            path_seeds: Seeds of a stochastic equation's paths; see `brownian.path_seeds`.

        Raises:
            UserError: A time is no number, or lies before the start of a stochastic path.
        """
        moments = torch.tensor(list(times), dtype=torch.float64) * self.steps_per_frame
        if not moments.isfinite().all():
            raise UserError(f"times {list(times)} are not all finite numbers of frames")
        near = moments.round()
        on_node = (moments - near).abs() < _SAME_TIME
        nodes = torch.where(on_node, near, moments.trunc())
        parts = torch.where(on_node, 0, moments - nodes)
        with torch.autocast(latent.device.type, enabled=False):  # rounding would add up
            # Never less than float32, but float64 where it is given.
            start = self.initial(latent.to(torch.promote_types(latent.dtype, torch.float32)))
            path = self._path(path_seeds, start)
            return self._states(start, nodes.long().tolist(), parts.tolist(), path)[:, :, -1]

    def _states(
        self,
        start: Float[Tensor, "batch order ..."],
        nodes: list[int],
        parts: list[float],
        path: BrownianPath | None,
    ) -> Float[Tensor, "batch time order ..."]:
        """All components at whole numbers of steps, plus parts of a step in (−1, 1)."""
        states = self._walk(start, nodes, path)
        between = [place for place, part in enumerate(parts) if part]
        if not between:
            return states
        # One step of its own length from each node to the time behind it, all at once.
        reached = self._leap(
            states[:, between].flatten(0, 1),  # (batch · few, order, …), time fastest
            [nodes[place] for place in between],
            [parts[place] for place in between],
            path,
        )
        index = torch.tensor(between, device=start.device)
        return states.index_copy(1, index, reached.unflatten(0, (len(start), len(between))))

    def _path(self, seeds: Int[Tensor, " batch"] | None, start: Tensor) -> BrownianPath | None:
        """What drives the states of these clips; nothing drives an ordinary equation."""
        del seeds, start

    @abstractmethod
    def _walk(self, start: Tensor, nodes: list[int], path: BrownianPath | None) -> Tensor:
        """States (batch, time, order, …) after these numbers of steps; below 0, backwards."""

    @abstractmethod
    def _leap(
        self, states: Tensor, nodes: list[int], parts: list[float], path: BrownianPath | None
    ) -> Tensor:
        """States (batch · time, order, …) a part of a step after the nodes where they are."""


class NeuralODE(DifferentialTrajectory):
    """An ordinary equation of order n: the n-th derivative is f.

    Args:
        initial: Latent → the n components of the state.
        drift: f, from a component to a component.
        num_frames: Frames of a trained clip.
        drive: What f sees: the "position" or the "top" component.
        steps_per_frame: Runge-Kutta steps from frame to frame.
    """

    def __init__(
        self,
        initial: InitialState,
        drift: nn.Module,
        num_frames: int,
        drive: Literal["position", "top"] = "position",
        steps_per_frame: int = 1,
    ) -> None:
        super().__init__(initial, num_frames, steps_per_frame)
        self.drift = drift
        self.driver = -1 if drive == "position" else 0

    def derivative(
        self, state: Float[Tensor, "batch order ..."]
    ) -> Float[Tensor, "batch order ..."]:
        """All components' change in the article's time: f, then each component's integrand."""
        highest = self.drift(state[:, self.driver])
        return torch.cat([highest.unsqueeze(1), state[:, :-1]], dim=1)

    def _walk(self, start: Tensor, nodes: list[int], path: BrownianPath | None) -> Tensor:
        del path
        ahead, behind = max([0, *nodes]), -min([0, *nodes])
        states = ordinary_states(lambda s: self.step * self.derivative(s), start, ahead)
        if behind:
            back = ordinary_states(lambda s: -self.step * self.derivative(s), start, behind)
            states = torch.cat([back[:, 1:].flip(1), states], dim=1)
        return states[:, [node + behind for node in nodes]]

    def _leap(
        self, states: Tensor, nodes: list[int], parts: list[float], path: BrownianPath | None
    ) -> Tensor:
        del nodes, path
        lengths = self.step * _by_row(parts, states)
        return ordinary_states(lambda s: lengths * self.derivative(s), states, 1)[:, 1]


class NeuralSDE(DifferentialTrajectory):
    """A stochastic equation dz = μ(z) dt + σ(z) dW of Itô's kind, noise of its own a feature.

    Args:
        initial: Latent → state.
        drift: μ.
        diffusion: σ; its sign means nothing.
        num_frames: Frames of a trained clip.
        steps_per_frame: Euler-Maruyama steps from frame to frame; `None` is as many as keep a
            step within 0.025.
    """

    stochastic = True

    def __init__(
        self,
        initial: InitialState,
        drift: nn.Module,
        diffusion: nn.Module,
        num_frames: int,
        steps_per_frame: int | None = None,
    ) -> None:
        if steps_per_frame is None:
            steps_per_frame = math.ceil(1 / max(num_frames - 1, 1) / _LONGEST_STEP - 1e-9)
        super().__init__(initial, num_frames, steps_per_frame)
        self.drift, self.diffusion = drift, diffusion

    def _path(self, seeds: Int[Tensor, " batch"] | None, start: Tensor) -> BrownianPath:
        if seeds is None or len(seeds) != len(start):
            raise ValueError(f"a stochastic equation needs path_seeds, one for each {len(start)}")
        return BrownianPath(seeds.tolist(), start[0].numel(), start)

    def _walk(self, start: Tensor, nodes: list[int], path: BrownianPath | None) -> Tensor:
        assert path is not None
        first = min([0, *nodes])
        if first < 0:
            self._refuse(first)
        states = stochastic_states(
            lambda s: self.step * self._of_state(self.drift, s),
            lambda s: math.sqrt(self.step) * self._of_state(self.diffusion, s),
            start,
            max([0, *nodes]),
            path.increment,
        )
        return states[:, nodes]

    def _leap(
        self, states: Tensor, nodes: list[int], parts: list[float], path: BrownianPath | None
    ) -> Tensor:
        assert path is not None
        if min(parts) < 0:
            self._refuse(min(parts))
        driven = [
            path.increment(node, node + part) for node, part in zip(nodes, parts, strict=True)
        ]
        increments = torch.stack(driven, dim=1).flatten(0, 1)  # (batch · time, features)
        lengths = self.step * _by_row(parts, states)
        return stochastic_states(
            lambda s: lengths * self._of_state(self.drift, s),
            lambda s: math.sqrt(self.step) * self._of_state(self.diffusion, s),
            states,
            1,
            lambda begin, end: increments,
        )[:, 1]

    def _refuse(self, steps: int | float) -> NoReturn:
        raise UserError(
            f"frame {steps / self.steps_per_frame:g} lies before frame 0, where the path of a "
            "stochastic equation begins; ask for times from 0 on, or train an ode"
        )

    @staticmethod
    def _of_state(network: nn.Module, state: Tensor) -> Tensor:
        return network(state[:, 0]).unsqueeze(1)


def _by_row(values: list[float], states: Tensor) -> Tensor:
    """One value a time, for states (batch · time, …) with time fastest."""
    column = torch.tensor(values, dtype=states.dtype, device=states.device)
    return column.repeat(len(states) // len(values)).view(-1, *[1] * (states.ndim - 1))


def finer_times(num_frames: int, factor: int) -> list[float]:
    """Times, in frames, of a clip at `factor` times the frame rate, from first to last frame."""
    if factor < 1:
        raise ValueError(f"factor is {factor}; it must be 1 or more")
    return [number / factor for number in range(factor * (num_frames - 1) + 1)]

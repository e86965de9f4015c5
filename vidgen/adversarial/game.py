"""Every model is a game: players, each with its own networks, optimiser and loss, move in turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vidgen.adversarial.described import Described
from vidgen.adversarial.latents import Randomness, StepRandomness
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.errors import UserError


class Batch:
    """Real examples on their way through one step.

    Not a dataclass on purpose: wrappers copy those, and what one player leaves in `made` must
    reach the next.

    Attributes:
        real: Examples in the game's range.
        labels: Class of each, or -1 without labels.
        views: Pictures of the examples in [-1, 1], of games that learn from pairs.
        made: What an earlier player of this step made and a later one may use again.
    """

    def __init__(
        self,
        real: Tensor,
        labels: Int[Tensor, " batch"],
        views: Float[Tensor, "batch channel height width"] | None = None,
    ) -> None:
        self.real = real
        self.labels = labels
        self.views = views
        self.made: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self.real)

    def split(self, parts: int) -> list[Batch]:
        """Equal pieces, for accumulated gradients."""
        views = [None] * parts if self.views is None else self.views.chunk(parts)
        pieces = zip(self.real.chunk(parts), self.labels.chunk(parts), views, strict=True)
        return [Batch(*piece) for piece in pieces]


def _always() -> bool:
    return True


def _nothing(step: int) -> None:
    del step


@dataclass(frozen=True)
class Player:
    """One who moves: what it may change, how, and what it wants.

    Attributes:
        name: The noun that its figures carry in the log.
        modules: The networks whose weights it may change.
        optimizer: How it changes them.
        loss: A method of the game; gives named terms whose sum is minimised.
        moves: Moves in a row in one step, each on real examples of its own.
        may_move: Asked before each move; after a no the loss is still computed, without gradient.
        after_move: Called with the number of the step, to put constraints back in force.
    """

    name: str
    modules: Sequence[nn.Module]
    optimizer: OptimizerSettings
    loss: Callable[[Batch], dict[str, Tensor]]
    moves: int = 1
    may_move: Callable[[], bool] = _always
    after_move: Callable[[int], None] = _nothing

    def parameters(self) -> list[nn.Parameter]:
        """The weights that it may change."""
        return [weight for module in self.modules for weight in module.parameters()]


class Game(Described, nn.Module, ABC):
    """Networks that play against each other, with everything needed to train and to sample.

    Attributes:
        example_shape: Shape of one real example, without the batch.
        view_shape: Shape of the picture that comes with each example; `None` needs none.
        num_classes: Number of classes it is conditioned on; 0 is unconditional.
        told_classes: Whether its discriminator is told the class of what it judges, where it has
            classes.
        generating: Names of the submodules that make samples; a running average of their weights
            may be kept.
        randomness: Where latents come from while it trains.
    """

    example_shape: tuple[int, ...]
    view_shape: tuple[int, ...] | None = None
    num_classes: int = 0
    told_classes: bool = True
    generating: tuple[str, ...] = ("generator",)

    def __init__(self) -> None:
        super().__init__()
        self.randomness: Randomness = StepRandomness()

    @abstractmethod
    def players(self) -> list[Player]:
        """The players in the order in which they move."""

    @abstractmethod
    def sample(
        self,
        seeds: Sequence[int],
        labels: Sequence[int] | None = None,
        num_frames: int | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch ..."]:
        """One sample a seed; the same seed gives the same sample in any batch.

        Args:
            seeds: One a sample.
            labels: Class of each sample; `None` draws them as often as training met them.
            num_frames: Length; `None` is the trained one.
            truncation: Below 1 the latents stay nearer to the middle of their distribution.
        """

    def fakes(self, count: int) -> Float[Tensor, "count ..."]:
        """Fresh samples as training makes them, in the present mode, from `randomness`.

        Needed only where an average of weights is kept and the generator has BatchNorm.
        """
        raise NotImplementedError(f"{type(self).__name__} makes no fakes")

    def figures(self) -> dict[str, float]:
        """What the log should tell of the last step besides the losses."""
        return {}

    def pictures(
        self, seeds: Sequence[int], labels: Sequence[int] | None = None
    ) -> UInt8[Tensor, "count channel time height width"]:
        """Samples as pixels of clips, to be looked at while it trains."""
        return self.to_pixels(self.sample(seeds, labels))

    def data_options(self) -> dict[str, object]:
        """What the data must look like, by the names of the data sets' own options."""
        channels, num_frames, height, width = self.example_shape
        size = height if height == width else (height, width)
        return {"channels": channels, "num_frames": num_frames, "size": size}

    def from_pixels(self, pixels: UInt8[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Pixels 0 to 255 in the game's range [-1, 1]."""
        return signed(pixels)

    def to_pixels(self, examples: Float[Tensor, "batch ..."]) -> UInt8[Tensor, "batch ..."]:
        """The inverse of `from_pixels`, rounded and clipped."""
        return ((examples.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    def check_labels(self, labels: Sequence[int] | Tensor) -> None:
        """Refuses classes that the game does not have.

        Raises:
            UserError: A label is not in 0 … num_classes - 1.
        """
        values = labels.tolist() if isinstance(labels, Tensor) else list(labels)
        wrong = sorted({label for label in values if not 0 <= label < self.num_classes})
        if self.num_classes and wrong == [-1]:
            raise UserError(
                f"the game is conditioned on {self.num_classes} classes, but the data has no "
                "labels; set game.num_classes to 0 or use a data set with classes"
            )
        if self.num_classes and wrong:
            raise UserError(
                f"label {wrong[0]} is outside 0 … {self.num_classes - 1}; set game.num_classes "
                "to the number of classes of the data"
            )


def signed(pixels: UInt8[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
    """Pixels 0 to 255 as numbers in [-1, 1]."""
    return pixels.float() / 127.5 - 1


@contextmanager
def only_trainable(game: nn.Module, weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """For a while, nothing but these weights takes gradients: the other players stand still."""
    chosen = {id(weight) for weight in weights}
    before = [(weight, weight.requires_grad) for weight in game.parameters()]
    for weight, required in before:
        weight.requires_grad_(required and id(weight) in chosen)
    try:
        yield
    finally:
        for weight, required in before:
            weight.requires_grad_(required)


@contextmanager
def fixed_statistics(module: nn.Module) -> Iterator[None]:
    """For a while, BatchNorm uses the batch's moments without adding them to its running ones.

    The generator's turn passes fakes through the discriminator once more; counting them again
    would shift the bounds of TGAN's scale clipping, which are made of those running moments.
    """
    tracking = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for norm in tracking:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in tracking:
            norm.track_running_stats = True


@contextmanager
def evaluation(module: nn.Module) -> Iterator[None]:
    """For a while, the module is in evaluation mode and nothing records gradients."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for part, training in modes:
            part.training = training

"""Training of a small classifier of clips.

MoCoGAN (Tulyakov et al., CVPR 2018), §4.2, judges motion control by such a network and does not
give its architecture; here it is C3D of a quarter of the width with BatchNorm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import cross_entropy

from vidgen.adversarial.game import evaluation
from vidgen.errors import UserError
from vidgen.metrics.extractors.base import in_color
from vidgen.metrics.extractors.c3d import C3D
from vidgen.metrics.extractors.own import ClassifierConfig

Batch = tuple[UInt8[Tensor, "batch channel time height width"], Int64[Tensor, " batch"]]


def fit_classifier(
    config: ClassifierConfig,
    batches: Iterator[Batch],
    steps: int,
    learning_rate: float,
    seed: int,
    device: str | torch.device = "cpu",
    after_step: Callable[[int, float], None] | None = None,
) -> C3D:
    """A classifier trained by cross-entropy and Adam, in evaluation mode.

    Args:
        config: What it looks like.
        batches: Clips in pixels, and their classes.
        steps: How many batches are taken.
        learning_rate: Adam's at the start; it falls in a straight line, to 0 after the last step.
        seed: Draws initial weights and dropout; torch's own generator is left as it was.
        device: Where to train.
        after_step: Called with the number of steps done and the loss.

    Raises:
        UserError: The loss is not finite.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = config.network()
        _initialize_(network)
        network.to(device).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
        for step in range(steps):
            # On few videos the last steps decide: at full speed its accuracy is a matter of chance.
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * (1 - step / steps)
            pixels, labels = next(batches)
            optimizer.zero_grad(set_to_none=True)
            logits = network(from_pixels(pixels.to(device))).logits
            loss = cross_entropy(logits, labels.to(device))
            loss.backward()
            optimizer.step()
            value = loss.item()
            if not math.isfinite(value):
                raise UserError(
                    f"the classifier's loss became {value}; give a --learning_rate below "
                    f"{learning_rate:g}"
                )
            if after_step is not None:
                after_step(step + 1, value)
    return network.eval()


def num_correct(
    network: C3D, batches: Iterable[Batch], device: str | torch.device = "cpu"
) -> tuple[int, int]:
    """How many clips are of the likeliest class, and how many there are."""
    correct = count = 0
    with evaluation(network):
        for pixels, labels in batches:
            predicted = network(from_pixels(pixels.to(device))).logits.argmax(dim=1).cpu()
            correct += int((predicted == labels).sum())
            count += len(labels)
    return correct, count


def from_pixels(
    pixels: UInt8[Tensor, "batch channel time height width"],
) -> Float[Tensor, "batch 3 time height width"]:
    """Clips in [-1, 1], in color."""
    return in_color(pixels.float() / 127.5 - 1)


def _initialize_(network: C3D) -> None:
    """He's rule: torch's own lets the signal of eight layers with ReLU die."""
    for part in network.modules():
        if isinstance(part, torch.nn.Conv3d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                torch.nn.init.zeros_(part.bias)
    torch.nn.init.normal_(network.fc8.weight, std=0.01)

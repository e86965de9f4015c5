"""One step of TGAN at full size against a plain implementation of the same update.

    OMP_NUM_THREADS=1 python benchmarks/tgan_step.py

Both train 16 frames of 64 px at batch 8, generator first, from the same weights, latents and reals.
The plain one is what the formulas say, in a row: fakes generated once for each player, gradients of
the critic's weights made and thrown away in the generator's turn, contiguous memory, torch's
RMSProp as it comes. Ours is what the recipes run: fakes shared, the critic frozen in the
generator's turn, images with the channel innermost. Clipping is timed by benchmarks/svc.py.

Rounds alternate between the two, so that a busy machine slows both; the figure is the median of
the rounds' ratios.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import MethodType

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vidgen.adversarial.game import Batch, only_trainable
from vidgen.adversarial.latents import SeedRandomness
from vidgen.frames import BranchedImageGenerator
from vidgen.tgan import TGAN

BATCH, ROUNDS = 8, 5
Step = Callable[[int, Tensor], list[float]]


def slow_latents(number: int) -> Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.rand(BATCH, 100, generator=generator) * 2 - 1


def plain_images(image: BranchedImageGenerator, *latents: Tensor) -> Tensor:
    maps = [
        branch(latent).view(-1, 256, 4, 4)
        for branch, latent in zip(image.branches, latents, strict=True)
    ]
    return image.layers(torch.cat(maps, dim=1))


def plain_step() -> Step:
    torch.manual_seed(0)
    game = TGAN(constraint="none")
    generator, critic = game.generator, game.critic
    generator.image.forward = MethodType(plain_images, generator.image)
    rules = [torch.optim.RMSprop(part.parameters(), 5e-5) for part in (generator, critic)]

    def step(number: int, real: Tensor) -> list[float]:
        slow = slow_latents(number)
        wanted = -critic(generator(slow)).mean()
        wanted.backward()
        critic.zero_grad()
        told = critic(generator(slow).detach()).mean() - critic(real).mean()
        told.backward()
        for rule in rules:
            rule.step()
            rule.zero_grad()
        return [wanted.item(), told.item()]

    return step


def our_step() -> Step:
    torch.manual_seed(0)
    game = TGAN(constraint="none", order="generator_first")
    players = game.players()
    rules = [player.optimizer.build(player.parameters()) for player in players]

    def step(number: int, real: Tensor) -> list[float]:
        game.randomness = Given(slow_latents(number))
        batch = Batch(real, torch.full((BATCH,), -1))
        losses = []
        for player, rule in zip(players, rules, strict=True):
            with only_trainable(game, player.parameters()):
                rule.zero_grad(set_to_none=True)
                loss = torch.stack(list(player.loss(batch).values())).sum()
                loss.backward()
            torch.nn.utils.get_total_norm([w.grad for w in player.parameters()])  # as `fit` does
            rule.step()
            losses.append(loss.item())
        return losses

    return step


class Given(SeedRandomness):
    """Gives the latents that it was made with."""

    def __init__(self, slow: Tensor) -> None:
        super().__init__([])
        self.slow = slow

    def uniform(self, count: int, *shape: int) -> Tensor:
        return self.slow


def measure() -> None:
    steps = {"plain": plain_step(), "ours": our_step()}
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), {platform.machine()}")
    rounds: list[dict[str, tuple[float, float]]] = []
    for number in range(ROUNDS + 1):
        real = torch.rand(BATCH, 3, 16, 64, 64, generator=torch.Generator().manual_seed(number))
        row = {}
        for name, step in steps.items():
            cpu, wall = time.process_time(), time.perf_counter()
            losses = step(number, real * 2 - 1)
            row[name] = (time.process_time() - cpu, time.perf_counter() - wall)
            print(f"round {number}, {name}: {row[name][0]:.2f} s CPU, losses {losses}", flush=True)
        if number:  # the first warms up
            rounds.append(row)
    for kind, meaning in enumerate(("CPU", "wall")):
        plain, ours = (statistics.median(row[name][kind] for row in rounds) for name in steps)
        ratio = statistics.median(row["plain"][kind] / row["ours"][kind] for row in rounds)
        print(f"{meaning}: plain {plain:.2f} s, ours {ours:.2f} s, {ratio:.2f} x as fast")


if __name__ == "__main__":
    measure()

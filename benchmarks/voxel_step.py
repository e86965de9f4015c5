"""One step of 3D-GAN and of 3D-VAE-GAN at full size against plain implementations of the same.

    OMP_NUM_THREADS=1 python benchmarks/voxel_step.py

3D-GAN trains 64³ volumes at batch 8, 3D-VAE-GAN at batch 4 with images of 256 px. Both sides have
the same weights, latents, noise and reals, and the discriminator learns in every step. The plain
ones are what the formulas say, in a row: torch's convolutions, generator graphs built for the
discriminator and thrown away, gradients of all weights made in every turn, torch's Adam as it
comes. Ours is what the recipes run: convolutions with fewer multiplications, players at rest
frozen, fused Adam.

Rounds alternate between the two, so that a busy machine slows both; the figure is the median of
the rounds' ratios. Peak memory is that of a process of its own which makes two steps.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vidgen.adversarial.game import Batch, only_trainable
from voxel import VoxelGAN, VoxelVAEGAN

BATCHES = {"3D-GAN": 8, "3D-VAE-GAN": 4}
Step = Callable[[int], list[float]]


class Drawn:
    """Random numbers in a fixed order, the same for both sides."""

    def __init__(self, number: int) -> None:
        self._generator = torch.Generator().manual_seed(number)

    def normal(self, count: int, *shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=self._generator)

    def uniform(self, count: int, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=self._generator) * 2 - 1


def plain_networks(game: VoxelGAN) -> tuple[nn.Sequential, nn.Sequential]:
    """Generator and discriminator of torch's own layers, with the game's weights."""
    layers: list[nn.Module] = [nn.ConvTranspose3d(200, 512, 4, bias=False)]
    for before, after in ((512, 256), (256, 128), (128, 64), (64, 1)):
        layers += [nn.BatchNorm3d(before), nn.ReLU()]
        layers.append(nn.ConvTranspose3d(before, after, 4, 2, 1, bias=False))
    generator = nn.Sequential(*layers)
    generator.load_state_dict(game.generator.layers.state_dict())
    layers = []
    for before, after in ((1, 64), (64, 128), (128, 256), (256, 512)):
        layers += [nn.Conv3d(before, after, 4, 2, 1, bias=False), nn.BatchNorm3d(after)]
        layers.append(nn.LeakyReLU(0.2))
    discriminator = nn.Sequential(*layers, nn.Conv3d(512, 1, 4, bias=False), nn.Flatten(0))
    stored = [value for block in game.discriminator.blocks for value in block.state_dict().values()]
    stored.append(game.discriminator.head.weight)
    names = discriminator.state_dict().keys()
    discriminator.load_state_dict(dict(zip(names, stored, strict=True)))
    return generator, discriminator


def adam(network: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), rate, (0.5, 0.999))


def plain_step(kind: str) -> Step:
    game, count = new_game(kind), BATCHES[kind]
    generator, discriminator = plain_networks(game)
    adams = [adam(discriminator, 1e-5), adam(generator, 2.5e-3)]
    encoder = game.encoder if isinstance(game, VoxelVAEGAN) else None
    if encoder is not None:
        adams.append(adam(encoder, 1e-4))

    def minimize(loss: Tensor, optimizer: torch.optim.Adam) -> float:
        for each in adams:
            each.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def volumes(latent: Tensor) -> Tensor:
        return torch.sigmoid(generator(latent[:, :, None, None, None]))

    def latents(drawn: Drawn) -> Tensor:
        if encoder is not None:
            return drawn.normal(count, 200)
        return 0.5 + 0.5 * drawn.uniform(count, 200)

    def distance(drawn: Drawn, batch: Batch) -> tuple[Tensor, Tensor]:
        assert encoder is not None and batch.views is not None
        mean, log_variance = encoder(batch.views)
        latent = mean + torch.exp(log_variance / 2) * drawn.normal(count, 200)
        squares = (volumes(latent) - batch.real).square().flatten(1).sum(1).mean()
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean()
        return 5 * divergence, 1e-4 * squares

    def step(number: int) -> list[float]:
        batch, drawn = examples(kind, number), Drawn(number)
        latent = latents(drawn)
        told = softplus(-discriminator(batch.real)).mean()
        told = told + softplus(discriminator(volumes(latent).detach())).mean()
        losses = [minimize(told, adams[0])]
        extra: Tensor | float = 0.0
        if encoder is None:
            latent = latents(drawn)
        else:
            losses.append(minimize(torch.stack(distance(drawn, batch)).sum(), adams[2]))
            extra = distance(drawn, batch)[1]
        wanted = softplus(-discriminator(volumes(latent))).mean() + extra
        return [*losses, minimize(wanted, adams[1])]

    return step


def our_step(kind: str) -> Step:
    game = new_game(kind)
    players = game.players()
    adams = [player.optimizer.build(player.parameters()) for player in players]

    def step(number: int) -> list[float]:
        batch, losses = examples(kind, number), []
        game.randomness = Drawn(number)  # type: ignore[assignment]
        for player, optimizer in zip(players, adams, strict=True):
            with only_trainable(game, player.parameters()):
                optimizer.zero_grad(set_to_none=True)
                loss = torch.stack(list(player.loss(batch).values())).sum()
                loss.backward()
            torch.nn.utils.get_total_norm([w.grad for w in player.parameters()])  # as `fit` does
            optimizer.step()
            losses.append(loss.item())
        return losses

    return step


def new_game(kind: str) -> VoxelGAN:
    torch.manual_seed(0)
    return VoxelGAN() if kind == "3D-GAN" else VoxelVAEGAN()


def examples(kind: str, number: int) -> Batch:
    generator, count = torch.Generator().manual_seed(number), BATCHES[kind]
    real = (torch.rand(count, 1, 64, 64, 64, generator=generator) < 0.06).float()
    views = torch.rand(count, 3, 256, 256, generator=generator) * 2 - 1
    return Batch(real, torch.full((count,), -1), views)


VARIANTS: dict[str, Callable[[str], Step]] = {"plain": plain_step, "ours": our_step}


def peak_gigabytes(kind: str, variant: str) -> float:
    command = [sys.executable, __file__, "--peak_of", kind, variant]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(kind: str, variant: str) -> None:
    step = VARIANTS[variant](kind)
    for number in range(2):
        step(number)
    # Not getrusage: its figure is inherited from the parent, which is larger.
    status = Path("/proc/self/status").read_text().split()
    print(int(status[status.index("VmHWM:") + 1]) / 2**20)


def measure(kind: str, rounds: int) -> None:
    steps = {name: make(kind) for name, make in VARIANTS.items()}
    for name, step in steps.items():  # also warms up
        print(f"{kind}, {name}: first losses", *(f"{loss:.6f}" for loss in step(0)), flush=True)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for number in range(1, rounds + 1):
        for name, step in steps.items():
            cpu, wall = time.process_time(), time.perf_counter()
            step(number)
            times[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    steps.clear()
    for name, rows in times.items():
        cpu, wall = (statistics.median(row[unit] for row in rows) for unit in (0, 1))
        faster = [
            statistics.median(
                plain[unit] / row[unit] for plain, row in zip(times["plain"], rows, strict=True)
            )
            for unit in (0, 1)
        ]
        print(
            f"{kind}, {name}: {cpu:.2f} s CPU, {wall:.2f} s wall; {faster[0]:.2f} x (CPU) and "
            f"{faster[1]:.2f} x (wall) as fast as plain; peak "
            f"{peak_gigabytes(kind, name):.2f} GiB",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Times a step of 3D-GAN and of 3D-VAE-GAN.")
    parser.add_argument("--rounds", type=int, default=3, help="Timed steps of each.")
    parser.add_argument("--models", nargs="+", default=list(BATCHES), choices=list(BATCHES))
    parser.add_argument("--peak_of", nargs=2, help="Only print a model's and variant's peak.")
    chosen = parser.parse_args()
    if chosen.peak_of:
        print_peak(*chosen.peak_of)
    else:
        print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s)", end=", ")
        print(platform.machine())
        for model in chosen.models:
            measure(model, chosen.rounds)

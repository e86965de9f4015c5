"""One step of two-stream VGAN at full size against a plain implementation of the same update.

    OMP_NUM_THREADS=1 python benchmarks/vgan_step.py
    OMP_NUM_THREADS=1 python benchmarks/vgan_step.py --bf16   # pays where there is avx512_bf16

Both train 32 frames of 64 px at batch 8, 16.2 million weights against 11.1 million, from the same
weights, latents and reals, generator first. The plain one is what the formulas say, in a row: the
two heads apart, gradients of the discriminator's weights made and thrown away in the generator's
turn, contiguous memory, torch's Adam as it comes. Ours is what the recipes run: one head, the
discriminator frozen in the generator's turn, fused Adam, channels_last.

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
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vidgen.adversarial.game import Batch, only_trainable
from vidgen.vgan import VGAN

BATCH, ROUNDS = 8, 3
Step = Callable[[Tensor, Tensor], list[float]]


class PlainGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*self.rising(nn.ConvTranspose3d, nn.BatchNorm3d, (2, 4, 4)))
        self.colors = nn.ConvTranspose3d(64, 3, 4, 2, 1)
        self.mask = nn.ConvTranspose3d(64, 1, 4, 2, 1)
        self.background = nn.Sequential(
            *self.rising(nn.ConvTranspose2d, nn.BatchNorm2d, 4),
            nn.ConvTranspose2d(64, 3, 4, 2, 1),
        )

    def rising(self, deconvolution, norm, bottom) -> list[nn.Module]:
        layers = [deconvolution(100, 512, bottom), norm(512), nn.ReLU()]
        for before in (512, 256, 128):
            after = before // 2
            layers += [deconvolution(before, after, 4, 2, 1), norm(after), nn.ReLU()]
        return layers

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(latent.unsqueeze(2))
        foreground = torch.tanh(self.colors(features))
        mask = torch.sigmoid(self.mask(features))
        background = torch.tanh(self.background(latent)).unsqueeze(2).repeat(1, 1, 32, 1, 1)
        return mask * foreground + (1 - mask) * background, mask


def plain_discriminator() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv3d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
    for before in (64, 128, 256):
        layers += [
            nn.Conv3d(before, 2 * before, 4, 2, 1),
            nn.BatchNorm3d(2 * before, eps=1e-3),
            nn.LeakyReLU(0.2),
        ]
    return nn.Sequential(*layers, nn.Conv3d(512, 2, (2, 4, 4)), nn.Flatten())


def copy_weights(game: VGAN, generator: PlainGenerator, discriminator: nn.Module) -> None:
    head = game.generator.foreground.layers[-1]
    heads = {
        "colors.weight": head.weight[:, :3],
        "colors.bias": head.bias[:3],
        "mask.weight": head.weight[:, 3:],
        "mask.bias": head.bias[3:],
    }
    trunk = nn.Sequential(*game.generator.foreground.layers[:-1]).state_dict(prefix="trunk.")
    background = nn.Sequential(*game.generator.background.layers[:-1])
    generator.load_state_dict({**heads, **trunk, **background.state_dict(prefix="background.")})
    judge = nn.Sequential(*game.discriminator.trunk, game.discriminator.head)
    discriminator.load_state_dict(judge.state_dict())


def plain_step() -> Step:
    torch.manual_seed(0)
    game = VGAN()  # before the plain ones draw weights of their own
    generator, discriminator = PlainGenerator(), plain_discriminator()
    copy_weights(game, generator, discriminator)
    adams = [
        torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
        for network in (generator, discriminator)
    ]
    real_class, fake_class = torch.zeros(BATCH).long(), torch.ones(BATCH).long()

    def step(latent: Tensor, real: Tensor) -> list[float]:
        adams[0].zero_grad()
        fake, mask = generator(latent)
        wanted = cross_entropy(discriminator(fake), real_class) + 0.1 * mask.mean()
        wanted.backward()
        adams[0].step()
        adams[1].zero_grad()
        told = cross_entropy(discriminator(real), real_class)
        told = told + cross_entropy(discriminator(fake.detach()), fake_class)
        told.backward()
        adams[1].step()
        return [wanted.item(), told.item()]

    return step


def our_step(context: Callable[[], AbstractContextManager] = nullcontext) -> Step:
    torch.manual_seed(0)
    game = VGAN(order="generator_first")
    for network in (game.generator.foreground, game.discriminator):
        network.to(memory_format=torch.channels_last_3d)
    game.generator.background.to(memory_format=torch.channels_last)
    players = game.players()
    adams = [player.optimizer.build(player.parameters()) for player in players]

    def step(latent: Tensor, real: Tensor) -> list[float]:
        batch = Batch(real, torch.full((BATCH,), -1))
        batch.made["latent"] = latent
        losses = []
        for player, adam in zip(players, adams, strict=True):
            with only_trainable(game, player.parameters()):
                adam.zero_grad(set_to_none=True)
                with context():
                    loss = torch.stack(list(player.loss(batch).values())).sum()
                loss.backward()
            torch.nn.utils.get_total_norm([w.grad for w in player.parameters()])  # as `fit` does
            adam.step()
            losses.append(loss.item())
        return losses

    return step


def bf16() -> AbstractContextManager:
    return torch.autocast("cpu", dtype=torch.bfloat16)


VARIANTS: dict[str, Callable[[], Step]] = {
    "plain": plain_step,
    "ours": our_step,
    "ours, bf16-mixed": lambda: our_step(bf16),
}


def examples(number: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    latent = torch.randn(BATCH, 100, 1, 1, generator=generator)
    return latent, torch.rand(BATCH, 3, 32, 64, 64, generator=generator) * 2 - 1


def peak_gigabytes(variant: str) -> float:
    command = [sys.executable, __file__, "--peak_of", variant]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(variant: str) -> None:
    step = VARIANTS[variant]()
    for number in range(2):
        step(*examples(number))
    # Not getrusage: its figure is inherited from the parent, which is larger.
    status = Path("/proc/self/status").read_text().split()
    print(int(status[status.index("VmHWM:") + 1]) / 2**20)


def measure(names: list[str]) -> None:
    steps = {name: VARIANTS[name]() for name in names}
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), {platform.machine()}")
    for name, step in steps.items():  # also warms up
        generator_loss, discriminator_loss = step(*examples(0))
        print(f"{name}: first losses {generator_loss:.6f} and {discriminator_loss:.6f}")
    rounds: list[dict[str, tuple[float, float]]] = []
    for number in range(1, ROUNDS + 1):
        given, row = examples(number), {}
        for name, step in steps.items():
            cpu, wall = time.process_time(), time.perf_counter()
            losses = step(*given)
            row[name] = (time.process_time() - cpu, time.perf_counter() - wall)
            last = ", ".join(f"{loss:.4f}" for loss in losses)
            print(f"round {number}, {name}: {row[name][0]:.2f} s CPU, losses {last}", flush=True)
        rounds.append(row)
    steps.clear()
    for name in names:
        cpu, wall = (statistics.median(row[name][kind] for row in rounds) for kind in (0, 1))
        faster = [
            statistics.median(row["plain"][kind] / row[name][kind] for row in rounds)
            for kind in (0, 1)
        ]
        print(
            f"{name}: {cpu:.2f} s CPU, {wall:.2f} s wall; {faster[0]:.2f} x (CPU) and "
            f"{faster[1]:.2f} x (wall) as fast as plain; peak {peak_gigabytes(name):.2f} GiB"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Times one step of VGAN at batch 8.")
    parser.add_argument("--bf16", action="store_true", help="Time bf16-mixed as well.")
    parser.add_argument("--peak_of", choices=VARIANTS, help="Only print a variant's peak memory.")
    chosen = parser.parse_args()
    if chosen.peak_of:
        print_peak(chosen.peak_of)
    else:
        measure(list(VARIANTS) if chosen.bf16 else ["plain", "ours"])

"""One full MoCoGAN step, ours against a plain one: seconds, ratio, peak memory.

    python benchmarks/mocogan_step.py [--batch_size 8] [--repeats 3] [--threads 1]

The plain step is the same update written down as one would at first: the three networks as
sequences of layers, every player's loss through whole networks whose weights all take gradients,
fakes cut off by `detach`, Adam as torch builds it. Both start from the same weights and draw the
same random numbers; the largest difference after one step is printed, so what is timed is the same
mathematics. Steps alternate, and the medians of the ratios of neighbours are reported. Peak memory
is that of a process of its own for each.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

sys.path.insert(0, str(Path(__file__).parent.parent))

from vidgen import MoCoGAN
from vidgen.adversarial.game import Batch, only_trainable
from vidgen.adversarial.latents import StepRandomness
from vidgen.adversarial.training import _channels_last_

FRAMES, SIZE = 16, 64


class Plain(nn.Module):
    """The networks of the authors' code and its three moves, without any economy."""

    def __init__(self, game: MoCoGAN) -> None:
        super().__init__()
        self.cell = nn.GRUCell(10, 10)
        widths = [60, 512, 256, 128, 64]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            shape = (4, 2, 1) if layers else (4, 1, 0)
            layers += [
                nn.ConvTranspose2d(before, after, *shape, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(True),
            ]
        layers += [nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh()]
        self.image = nn.Sequential(*layers)
        self.frame_judge = self._judge(nn.Conv2d, nn.BatchNorm2d, [3, 64, 128, 256], 2, 1)
        self.frame_judge.append(nn.Conv2d(256, 1, 4, 2, 1, bias=False))
        self.clip_judge = self._judge(
            nn.Conv3d, nn.BatchNorm3d, [3, 64, 128, 256, 512], (1, 2, 2), (0, 1, 1)
        )
        self.clip_judge.append(nn.Conv3d(512, 1, 4, bias=False))
        weights = [*game.generator.parameters(), *_judges(game)]
        with torch.no_grad():
            for mine, given in zip(self.parameters(), weights, strict=True):
                mine.copy_(given)
        generator = [*self.cell.parameters(), *self.image.parameters()]
        self.optimizers = [
            torch.optim.Adam(part, 2e-4, (0.5, 0.999), weight_decay=1e-5)
            for part in (self.frame_judge.parameters(), self.clip_judge.parameters(), generator)
        ]
        self.randomness = StepRandomness()

    @staticmethod
    def _judge(conv, norm, widths, stride, padding) -> nn.Sequential:
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers.append(conv(before, after, 4, stride, padding, bias=False))
            if before != 3:
                layers.append(norm(after))
            layers.append(nn.LeakyReLU(0.2, True))
        return nn.Sequential(*layers)

    def codes(self, count: int) -> Tensor:
        """Codes of all frames, from the numbers that ours draws, in its order."""
        draw = self.randomness
        draw.choice(count, torch.ones(1))
        content, state = draw.normal(count, 50), draw.normal(count, 10)
        draw.choice(count, torch.ones(1))
        path = []
        for noise in [draw.normal(count, 10) for _ in range(FRAMES)]:
            state = self.cell(noise, state)
            path.append(torch.cat([content, state], 1))
        return torch.stack(path, 1)

    def moments(self, count: int, limit: int) -> Tensor:
        return ((self.randomness.uniform(count) + 1) / 2 * limit).long().clamp(max=limit - 1)

    def fake_frames(self, count: int) -> Tensor:
        codes = self.codes(count)
        chosen = codes[torch.arange(count), self.moments(count, FRAMES)]
        return self.image(chosen[:, :, None, None])

    def fake_clips(self, count: int) -> Tensor:
        codes = self.codes(count)
        self.moments(count, 1)
        images = self.image(codes.flatten(0, 1)[:, :, None, None])
        return images.view(count, FRAMES, 3, SIZE, SIZE).transpose(1, 2)

    def step(self, real: Tensor) -> None:
        count = len(real)
        for optimizer, loss in zip(
            self.optimizers, (self.frame_loss, self.clip_loss, self.generator_loss), strict=True
        ):
            self.zero_grad()
            loss(real, count).backward()
            optimizer.step()

    def frame_loss(self, real: Tensor, count: int) -> Tensor:
        frames = real[torch.arange(count), :, self.moments(count, FRAMES)]
        return _against(self.frame_judge, frames, self.fake_frames(count).detach())

    def clip_loss(self, real: Tensor, count: int) -> Tensor:
        return _against(self.clip_judge, real, self.fake_clips(count).detach())

    def generator_loss(self, real: Tensor, count: int) -> Tensor:
        del real
        frames = _entropy(self.frame_judge(self.fake_frames(count)), 1)
        return frames + _entropy(self.clip_judge(self.fake_clips(count)), 1)


def _against(judge: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return _entropy(judge(real), 1) + _entropy(judge(fake), 0)


def _entropy(logits: Tensor, target: float) -> Tensor:
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def _judges(game: MoCoGAN) -> list[nn.Parameter]:
    return [
        weight
        for judge in (game.image_discriminator, game.video_discriminator)
        if judge is not None
        for weight in judge.parameters()
    ]


class Ours:
    """The game as `fit` plays it."""

    def __init__(self, game: MoCoGAN, precision: str, channels_last: bool) -> None:
        self.game, self.precision = game, precision
        if channels_last:
            _channels_last_(game)
        self.players = game.players()
        self.optimizers = [player.optimizer.build(player.parameters()) for player in self.players]

    def step(self, real: Tensor) -> None:
        batch = Batch(real, torch.zeros(len(real), dtype=torch.long))
        for player, optimizer in zip(self.players, self.optimizers, strict=True):
            with only_trainable(self.game, player.parameters()):
                optimizer.zero_grad(set_to_none=True)
                with torch.autocast("cpu", torch.bfloat16, enabled=self.precision != "32-true"):
                    terms = player.loss(batch)
                torch.stack(list(terms.values())).sum().backward()
                optimizer.step()


def _seconds(step: Callable[[Tensor], None], real: Tensor) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    step(real)
    return time.perf_counter() - wall, time.process_time() - cpu


def _peak_of(kind: str, arguments: argparse.Namespace) -> float:
    """Peak resident GiB of a process that makes one step of one kind."""
    command = [sys.executable, __file__, "--only", kind, "--batch_size", str(arguments.batch_size)]
    command += ["--threads", str(arguments.threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _make(kind: str) -> Plain | Ours:
    torch.manual_seed(0)
    game = MoCoGAN()
    if kind == "plain":
        return Plain(game)
    precision = "bf16-mixed" if "bf16" in kind else "32-true"
    return Ours(game, precision, "channels_last" in kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kinds", default="fp32,fp32-channels_last")
    parser.add_argument("--only", help="make one step of one kind and print the peak memory")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    real = torch.rand(arguments.batch_size, 3, FRAMES, SIZE, SIZE) * 2 - 1
    if arguments.only:
        _make(arguments.only).step(real)
        # Not ru_maxrss: that counts the process which started this one too.
        status = Path("/proc/self/status").read_text()
        print(int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 2**20)
        return

    kinds = arguments.kinds.split(",")
    steppers = {kind: _make(kind) for kind in ["plain", *kinds]}
    plain = steppers["plain"]
    for stepper in steppers.values():
        _seconds(stepper.step, real)  # the first step also warms up
    for kind in kinds:
        ours = [*steppers[kind].game.generator.parameters(), *_judges(steppers[kind].game)]
        apart = [(a - b).abs().mean() for a, b in zip(plain.parameters(), ours, strict=True)]
        print(f"{kind}: weights after one step differ by {max(apart).item():.1e} on average")
    times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in steppers}
    for _ in range(arguments.repeats):
        for kind, stepper in steppers.items():
            times[kind].append(_seconds(stepper.step, real))
    for kind, measured in times.items():
        wall, cpu = (statistics.median(column) for column in zip(*measured, strict=True))
        neighbours = list(zip(times["plain"], measured, strict=True))
        faster = [
            statistics.median(theirs[column] / mine[column] for theirs, mine in neighbours)
            for column in (0, 1)
        ]
        print(
            f"{kind:22} wall {wall:6.2f} s ({faster[0]:.2f} x)  CPU {cpu:6.2f} s "
            f"({faster[1]:.2f} x)  peak {_peak_of(kind, arguments):.2f} GiB",
            flush=True,
        )


if __name__ == "__main__":
    main()

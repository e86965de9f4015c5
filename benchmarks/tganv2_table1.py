"""TGANv2's table 1, counted beside the article's numbers, and the saving of a real step, measured.

    python benchmarks/tganv2_table1.py                # networks an eighth as wide on a CPU
    python benchmarks/tganv2_table1.py --counts_only  # seconds, no memory
    python benchmarks/tganv2_table1.py --device cuda --divide 1 --batch 8

Counted, as the article does: one forward pass at 192 pixels, 16 frames, batch 1, in training. A
multiply-accumulate of a convolution or linear layer is one operation, without biases; so is an
element of a ReLU or of a residual addition. Memory is the sum of what operations give in float32:
for discriminators of convolutions, ReLUs, additions and linear layers, for the generator of
everything. The generator's published absolute values leave out two tensors a block, so compare
ratios there. What the implementation spares but the article counts is added: convolutions of the
ConvLSTM's zero inputs and zero first state, copies of the frames that are kept.

Measured: a training step of both players, R1 included, each case in a process of its own. A CPU's
memory is the peak of the process over what it held before the steps, its time that of the process,
which other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vidgen.adversarial.game import Batch, only_trainable
from vidgen.residual_discriminators import ResidualDiscriminator
from vidgen.subsampling import FrameSubsampling
from vidgen.tganv2 import TGANv2
from vidgen.tganv2_generator import VideoGenerator
from vidgen.trajectories.convlstm import ConvLSTM

RATES = {"naive": (1, 1, 1), "s_t = 2": (2, 2, 2), "s_t = 4": (4, 4, 4)}
WIDTHS = (1024, 512, 256, 128, 64, 32, 32)
FRAMES, SIZE = 16, 192
PUBLISHED = {  # 10^9 operations, MiB
    "G naive": (45.07, 1019),
    "G s_t = 2": (28.91, 271),
    "G s_t = 4": (26.20, 169),
    "D naive": (215.74, 1130),
    "D s_t = 2": (53.41, 217),
    "D s_t = 4": (38.40, 135),
    "D 3-D": (162.38, 851),
    "D 3-D + 2-D": (168.20, 921),
}
PUBLISHED_RATIOS = {  # against naive
    "G s_t = 2": (1.56, 3.76),
    "G s_t = 4": (1.72, 6.03),
    "D s_t = 2": (4.04, 5.22),
    "D s_t = 4": (5.62, 8.37),
}
aten = torch.ops.aten
JUDGED = {aten.convolution, aten.relu, aten.relu_, aten.add, aten.addmm}
POOLS = {aten.avg_pool2d}


class Tally(TorchDispatchMode):
    """Counts what the operations under it do.

    Args:
        stored: Operations whose output is counted as memory; `None` counts all but views.
        additions: Count elements of additions; without, those of a ConvLSTM's gates are none.
    """

    def __init__(self, stored: set[Any] | None = None, additions: bool = True) -> None:
        super().__init__()
        self.stored, self.additions = stored, additions
        self.operations, self.bytes = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        made = output[0] if isinstance(output, tuple | list) else output
        packet = func.overloadpacket
        if isinstance(made, Tensor):
            if packet in (aten.convolution, aten.addmm):
                weight = args[1] if packet is aten.convolution else args[2].T
                self.operations += made.numel() * weight[0].numel()
            elif packet in (aten.relu, aten.relu_) or (packet is aten.add and self.additions):
                self.operations += made.numel()
            alias = func._schema.returns[0].alias_info
            view = alias is not None and not alias.is_write
            if packet in self.stored if self.stored is not None else not view:
                self.bytes += made.numel() * made.element_size()
        return output


def counted(run: Callable[[], object], tally: Tally) -> tuple[float, float]:
    """10^9 operations and MiB."""
    with tally:
        run()
    return tally.operations / 1e9, tally.bytes / 2**20


def generator_row(rates: tuple[int, ...]) -> tuple[float, float]:
    generator = VideoGenerator(ConvLSTM(), WIDTHS)
    subsampling = FrameSubsampling(FRAMES, rates)
    layers = subsampling.layers([0, 0, 0])
    latent, maps = torch.empty(1, 256), torch.empty(1, FRAMES, 1024, 3, 3)
    path = counted(lambda: generator.unroll(latent, range(FRAMES)), Tally(additions=False))
    drawn = counted(lambda: generator.draw(maps, None, layers), Tally())
    # Spared per frame is one convolution, of the zero input, or of the first zero state.
    gates = FRAMES * (4 * 1024) * (3 * 3)
    # Spared too are copies of the kept frames: here they are views.
    maps_before = zip(rates, subsampling.lengths[1:], WIDTHS[3:6], (24, 48, 96), strict=True)
    copies = sum(length * wide * size**2 for rate, length, wide, size in maps_before if rate > 1)
    operations = path[0] + drawn[0] + gates * (1024 * 9) / 1e9
    return operations, path[1] + drawn[1] + (gates + copies) * 4 / 2**20


def judge_row(clips: list[tuple[int, int]], frame: bool = False) -> tuple[float, float]:
    """Of (frames, pixels) clips, and perhaps of one frame."""
    rows = []
    for length, size in clips:
        judge, clip = ResidualDiscriminator(), torch.empty(1, 3, length, size, size)
        rows.append(counted(lambda judge=judge, clip=clip: judge(clip), Tally(JUDGED)))
    if frame:
        judge, image = ResidualDiscriminator(2), torch.empty(1, 3, SIZE, SIZE)
        rows.append(counted(lambda: judge(image), Tally(JUDGED | POOLS)))
    operations, memory = zip(*rows, strict=True)
    return sum(operations), sum(memory)


def table() -> dict[str, tuple[float, float]]:
    """Counted operations and memory of every row of the article's table."""
    sizes = [SIZE // 8, SIZE // 4, SIZE // 2, SIZE]
    with FakeTensorMode(), torch.no_grad():
        rows = {f"G {name}": generator_row(rates) for name, rates in RATES.items()}
        for name, rates in RATES.items():
            lengths = FrameSubsampling(FRAMES, rates).lengths
            rows[f"D {name}"] = judge_row(list(zip(lengths, sizes, strict=True)))
        rows["D 3-D"] = judge_row([(FRAMES, SIZE)])
        rows["D 3-D + 2-D"] = judge_row([(FRAMES, SIZE)], frame=True)
    return rows


def print_table() -> None:
    rows = table()
    print(f"{'':14}{'GFLOPs':>9}{'article':>9}{'':>8}{'ratio':>7}{'article':>8}", end="")
    print(f"{'MiB':>9}{'article':>9}{'':>8}{'ratio':>7}{'article':>8}")
    for name, values in rows.items():
        line = f"{name:14}"
        for kind, value in enumerate(values):
            article = PUBLISHED[name][kind]
            line += f"{value:9.2f}{article:9g}{value / article - 1:+8.2%}"
            if name in PUBLISHED_RATIOS:
                naive = rows[name[0] + " naive"][kind]
                line += f"{naive / value:7.2f}{PUBLISHED_RATIOS[name][kind]:8.2f}"
            else:
                line += " " * 15
        print(line.rstrip())
    print(
        "The article prints whole MiB: D at s_t = 2, 216.51, is its 217. That this was at\n"
        "most 216.7 shows in its ratio to naive, 5.22; of 217 it would be 5.21."
    )


# Measured ---------------------------------------------------------------------------------------


def measured_case(options: argparse.Namespace) -> dict[str, float]:
    """Peak memory and seconds of a training step of one case, in this process."""
    torch.manual_seed(0)
    game = TGANv2(
        frame_size=options.frame_size,
        widths=[width // options.divide for width in WIDTHS],
        discriminator_width=64 // options.divide,
        rates=json.loads(options.case),
        r1_reduction="mean",
    ).to(options.device)
    players = game.players()
    rules = [player.optimizer.build(player.parameters()) for player in players]
    real = torch.rand(options.batch, *game.example_shape, device=options.device) * 2 - 1
    cuda = options.device.startswith("cuda")
    clock = time.perf_counter if cuda else time.process_time
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = []
    for number in range(1 + options.steps):
        began = clock()
        game.randomness = type(game.randomness)(number)
        batch = Batch(real.clone(), torch.full((len(real),), -1))
        for player, rule in zip(players, rules, strict=True):
            with only_trainable(game, player.parameters()):
                rule.zero_grad(set_to_none=True)
                with torch.autocast(
                    game.device.type, torch.bfloat16, enabled=options.precision == "bf16"
                ):
                    terms = player.loss(batch)
                torch.stack(list(terms.values())).sum().backward()
            rule.step()
        if cuda:
            torch.cuda.synchronize()
        seconds.append(clock() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    if cuda:
        peak = torch.cuda.max_memory_allocated() / 2**20
    return {"MiB": peak, "seconds": statistics.median(seconds[1:])}


def print_measured(options: argparse.Namespace) -> None:
    threads = f", {torch.get_num_threads()} thread(s)" if options.device == "cpu" else ""
    print(
        f"\na training step, batch {options.batch}, {options.frame_size} pixels, width 1/"
        f"{options.divide}, {options.precision}, {options.device}{threads}, "
        f"torch {torch.__version__}"
    )
    found: dict[str, dict[str, float]] = {}
    for name, rates in RATES.items():
        command = [sys.executable, *sys.argv, "--case", json.dumps(rates)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[name] = json.loads(answer)
        ratios = {kind: found["naive"][kind] / value for kind, value in found[name].items()}
        print(
            f"{name:14}{found[name]['MiB']:9.0f} MiB {ratios['MiB']:6.2f} x less"
            f"{found[name]['seconds']:10.2f} s {ratios['seconds']:6.2f} x faster",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--counts_only", action="store_true")
    parser.add_argument("--divide", type=int, default=8, help="divides all widths, at most 32")
    parser.add_argument("--frame_size", type=int, default=SIZE)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2, help="timed steps, after one that warms up")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measured_case(options)))
        return
    print_table()
    if not options.counts_only:
        print_measured(options)


if __name__ == "__main__":
    main()

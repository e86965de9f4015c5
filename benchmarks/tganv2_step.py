"""One step of the 64 px recipe of TGANv2, in float32 and in bf16-mixed.

    OMP_NUM_THREADS=1 python benchmarks/tganv2_step.py
    OMP_NUM_THREADS=1 python benchmarks/tganv2_step.py --game.discriminator_width 16

Game, batch and memory layout are those of `--config tganv2_weizmann`, with what is given besides;
clips are noise. Real clips are judged in float32 in both, as R1 asks. Rounds alternate between the
two, so that a busy machine slows both; the figure is the median of the rounds' CPU seconds.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vidgen.adversarial.game import Batch, Game, only_trainable
from vidgen.adversarial.latents import StepRandomness
from vidgen.commands.configuration import parse, recipe_file, training_parser

ROUNDS = 5


def recipe_game(arguments: list[str]) -> tuple[Game, int]:
    """The recipe's game and clips of a step."""
    from jsonargparse import Namespace

    parser = training_parser("")
    given = recipe_file(["--config", "tganv2_weizmann", *arguments])
    config = parse(parser, [*given, "--data.root", "."])
    game = parser.instantiate(Namespace(game=config.game)).game
    if config.training.channels_last:
        for weight in game.parameters():
            if weight.ndim >= 4:
                layout = torch.channels_last if weight.ndim == 4 else torch.channels_last_3d
                weight.data = weight.data.contiguous(memory_format=layout)
    return game, config.training.batch_size


def measure(arguments: list[str]) -> None:
    torch.manual_seed(0)
    game, count = recipe_game(arguments)
    players = game.players()
    rules = [player.optimizer.build(player.parameters()) for player in players]
    print(
        f"batch {count}, {torch.get_num_threads()} thread(s), torch {torch.__version__}, "
        f"{platform.machine()}"
    )
    seconds: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS + 1):
        real = torch.rand(count, *game.example_shape) * 2 - 1
        for precision in ("fp32", "bf16"):
            game.randomness = StepRandomness(number)
            batch = Batch(real.clone(), torch.full((count,), -1))
            for player, rule in zip(players, rules, strict=True):
                began = time.process_time()
                with only_trainable(game, player.parameters()):
                    rule.zero_grad(set_to_none=True)
                    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                        terms = player.loss(batch)
                    torch.stack(list(terms.values())).sum().backward()
                rule.step()
                if number:  # the first warms up
                    spent = time.process_time() - began
                    seconds.setdefault((precision, player.name), []).append(spent)
    for precision in ("fp32", "bf16"):
        parts = {player.name: seconds[precision, player.name] for player in players}
        told = ", ".join(f"{name} {statistics.median(own):.2f}" for name, own in parts.items())
        total = statistics.median(map(sum, zip(*parts.values(), strict=True)))
        print(f"{precision}: {total:.2f} s CPU a step ({told})")


if __name__ == "__main__":
    measure(sys.argv[1:])

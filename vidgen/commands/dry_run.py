"""What a training would be: its configuration, its layers with shapes, its arithmetic."""

from __future__ import annotations

import sys
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from vidgen.adversarial.game import Batch, Game
from vidgen.adversarial.settings import TrainingSettings


def describe_run(parser: Any, config: Any, game: Game, settings: TrainingSettings) -> None:
    """Prints the resolved configuration, a table of layers and the batch arithmetic."""
    sys.stdout.write(parser.dump(config, skip_none=False) + "\n")
    console = Console(width=max(Console().width, 100))
    console.print(layer_table(game))
    moves = {player.name: player.moves for player in game.players()}
    examples = settings.batch_size * max(moves.values())
    console.print(
        f"a step: {', '.join(f'{count} x {name}' for name, count in moves.items())}; "
        f"{examples} real examples ({settings.batch_size} a move, "
        f"{settings.batch_size // settings.accumulate} at once over all devices)\n"
        f"a run: {settings.steps} steps, {settings.steps * examples:,} real examples",
        highlight=False,
    )


def layer_table(game: Game) -> Table:
    """Every layer that a player's loss passes through, with output shape and parameters."""
    shapes: dict[str, tuple[int, ...]] = {}
    hooks = [
        part.register_forward_hook(_remember(shapes, name))
        for name, part in game.named_modules()
        if name and not list(part.children())
    ]
    real = torch.zeros(2, *game.example_shape)
    views = None if game.view_shape is None else torch.zeros(2, *game.view_shape)
    batch = Batch(real, torch.zeros(2, dtype=torch.long), views)
    with torch.no_grad():
        for player in game.players():
            player.loss(batch)
    for hook in hooks:
        hook.remove()
    table = Table("layer", "kind", "output of one example", "parameters", title=type(game).__name__)
    parts = dict(game.named_modules())
    for name, shape in shapes.items():
        count = sum(weight.numel() for weight in parts[name].parameters())
        kind = type(parts[name]).__name__
        table.add_row(
            name, kind, " x ".join(map(str, shape[1:])) or "1", f"{count:,}" if count else ""
        )
    for player in game.players():
        count = sum(weight.numel() for weight in player.parameters())
        table.add_row(f"all of {player.name}", "", "", f"{count:,}", style="bold")
    return table


def _remember(shapes: dict[str, tuple[int, ...]], name: str) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            shapes[name] = tuple(output.shape)

    return hook

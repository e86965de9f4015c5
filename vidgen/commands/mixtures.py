"""The mixture of an autoencoder's codes: the work of the command fit_mixture."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from data.batches import Batches
from data.sources import Source
from vidgen.adversarial.checkpoints import (
    LoadedGame,
    find_checkpoint,
    load_game,
    load_state,
    save_checkpoint,
)
from vidgen.commands import outputs
from vidgen.commands.run_folder import RunFolder
from vidgen.commands.run_source import open_source
from vidgen.errors import UserError

CLIPS_A_COMPONENT = 10


def write_mixture(
    run: Path,
    root: Path | None,
    components: int | None,
    num_clips: int | None,
    seed: int,
    batch_size: int,
    device: str,
    allow: str,
) -> None:
    """Fits the mixture and puts it into the newest checkpoint.

    Args:
        run: Folder of a training.
        root: Folder of the training's videos; `None` is where they were.
        components: Gaussians; `None` takes those of the game.
        num_clips: Clips to encode; `None` is each video once, and ten clips a Gaussian at least.
        seed: Of the clips and of the fit.
        batch_size: Clips encoded at once.
        device: Where to encode.
        allow: Import paths of further classes, with commas between.

    Raises:
        UserError: The model has no mixture, or it cannot be fitted so.
    """
    allowed = [name.strip() for name in allow.split(",") if name.strip()]
    checkpoint = find_checkpoint(run)
    if checkpoint == run:
        raise UserError(f"{run} is a checkpoint; give the --run folder of its training")
    with RunFolder(run):  # a training that saves meanwhile would lose the mixture, or its steps
        loaded = load_game(run, allow=allowed)
        fit = outputs.ability(loaded, "fit_mixture", "sample codes from a mixture")
        outputs.place_(loaded, device)
        source = open_source(run, root, allowed)
        game: Any = loaded.game
        gaussians = components or game.num_components
        count = num_clips or max(len(source), CLIPS_A_COMPONENT * gaussians)
        fit(encoded(loaded, source, count, batch_size, seed), seed, gaussians)
        _replace(run, checkpoint, loaded)
    outputs.say(
        f"{gaussians} Gaussians fitted to the codes of {count:,} clips of "
        f"{len(source):,} videos, saved in {checkpoint}; now for instance:\n"
        f"  python -m vidgen generate {run} --count 16 --out {run / 'generated'} --grid"
    )


def encoded(
    loaded: LoadedGame, source: Source, count: int, batch_size: int, seed: int
) -> Float[Tensor, "count latent"]:
    """Codes of clips as a training would draw them: every video in turn.

    Raises:
        UserError: The clips have another shape than the game's.
    """
    game: Any = loaded.game
    codes = []
    with Batches(source, batch_size, seed) as batches:
        for _ in range(ceil(count / batch_size)):
            clips, *_ = next(batches)
            if tuple(clips.shape[1:]) != game.example_shape:
                raise UserError(
                    f"the data gives clips of shape {tuple(clips.shape[1:])}, but the game wants "
                    f"{game.example_shape}; use the data it was trained on"
                )
            with outputs.enough_memory(len(clips)):
                codes.append(game.encode(game.from_pixels(clips)).cpu())
    return torch.cat(codes)[:count]


def _replace(run: Path, checkpoint: Path, loaded: LoadedGame) -> None:
    """The same checkpoint with the game's weights of now; what a resumed training needs stays."""
    about = {"game": loaded.game.describe(), "classes": loaded.classes, "fps": loaded.fps}
    others = len(list(checkpoint.parent.glob("step-*")))
    state = load_state(checkpoint)
    save_checkpoint(run, loaded.step, loaded.game.state_dict(), state, about, keep=others)

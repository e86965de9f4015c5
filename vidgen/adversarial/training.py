"""The one loop that trains every game."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from vidgen.adversarial.averages import WeightAverage
from vidgen.adversarial.best import Judgement, point_to_best
from vidgen.adversarial.checkpoints import (
    load_state,
    load_weights,
    newest_whole_checkpoint,
    save_checkpoint,
)
from vidgen.adversarial.devices import over_processes
from vidgen.adversarial.game import Batch, Game, Player, only_trainable, signed
from vidgen.adversarial.latents import StepRandomness
from vidgen.adversarial.logs import NoLog, RunLog, StepProgress
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.signals import StopSignals
from vidgen.errors import UserError

# uint8 examples, their labels and, where they come in pairs, uint8 views of them.
RealBatches = Callable[[int], Iterator[tuple[Tensor, ...]]]


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        step: The last step that was made.
        signal: Name of the signal that stopped it, or "".
    """

    step: int
    signal: str = ""


def fit(
    game: Game,
    batches: RealBatches,
    settings: TrainingSettings,
    run: Path,
    fabric: Fabric | None = None,
    about: Mapping[str, Any] | None = None,
    show_samples: Callable[[Game, int], None] | None = None,
    judge: Callable[[Game], Judgement] | None = None,
) -> Outcome:
    """Trains a game; the same call again goes on where the last one was stopped.

    Args:
        game: Its players move in turn.
        batches: Given the number of the first batch, an endless iterator of this process's
            `(uint8 examples, labels)` or `(uint8 examples, labels, uint8 views)`; batch numbers
            count from 0, a step takes as many as its busiest player has moves.
        settings: The course of the training.
        run: Folder for checkpoints, log and samples.
        fabric: Device, precision and processes; `None` is one process as the settings say.
        about: Written into each checkpoint beside the game's description: classes, fps.
        show_samples: Called with the game, its average in place, at every `sample_every`-th step.
        judge: Gives scores of the game, its average in place, at every `evaluate_every`-th step.

    Raises:
        UserError: The run cannot be resumed, or its gradients have ceased to be finite.
    """
    # Setup.
    fabric = fabric or Fabric(
        accelerator=settings.accelerator, devices=1, precision=settings.precision
    )
    run.mkdir(parents=True, exist_ok=True)
    game.to(fabric.device)
    if settings.channels_last:
        _channels_last_(game)
    randomness = StepRandomness(settings.seed, fabric.global_rank, fabric.world_size)
    game.randomness = randomness
    players = game.players()
    optimizers = [player.optimizer.build(player.parameters()) for player in players]
    average = WeightAverage(game, settings.average)
    done, remarks = _resume(run, game, players, optimizers, average)
    wrapped, *moving = fabric.setup(game, *optimizers)
    for player in players:
        wrapped.mark_forward_method(player.loss.__name__)

    # Watch.
    first = fabric.is_global_zero
    log = RunLog(run, done) if first else NoLog()
    progress = StepProgress(done, settings.steps, shown=first)
    for remark in remarks:
        progress.say(f"passed over: {remark}")
    if done:
        if first:
            point_to_best(run, done)  # if the last sitting was killed before it had done so
        progress.say(f"resumed from step {done}")

    def save(step: int, judgement: Judgement) -> str:
        """Saves, and gives the reason if that failed: a full disk should not end a long run."""
        if not first:
            return ""
        state = {
            "step": step,
            "players": {
                player.name: optimizer.state_dict()
                for player, optimizer in zip(players, optimizers, strict=True)
            },
            "raw": average.raw_weights(),
        }
        description = {"game": game.describe(), **judgement.as_json(), **(about or {})}
        try:
            with average.in_place():
                save_checkpoint(run, step, game.state_dict(), state, description, settings.keep)
        except UserError as error:
            progress.say(f"{error}; the training goes on and will try again")
            return str(error)
        point_to_best(run, step)
        return ""

    # Loop.
    batches_a_step = max(player.moves for player in players)
    real = batches(done * batches_a_step)
    bad_moves = {player.name: 0 for player in players}
    step, not_saved = done, ""
    with StopSignals() as signals, closing(log), closing(progress):
        for step in range(done + 1, settings.steps + 1):
            began = time.perf_counter()
            randomness.turn_to(step)
            drawn = [
                _to_batches(game, next(real), settings.accumulate) for _ in range(batches_a_step)
            ]
            figures: dict[str, Tensor] = {}
            for player, optimizer in zip(players, moving, strict=True):
                _set_rate(optimizer, player.optimizer.learning_rate_at(step, settings.steps))
                for move in range(player.moves):
                    terms, finite = _move(fabric, wrapped, player, optimizer, drawn[move], settings)
                    figures |= {f"{player.name}/{name}": term for name, term in terms.items()}
                    bad_moves[player.name] = 0 if finite else bad_moves[player.name] + 1
                    if finite:
                        _agree_on_statistics(fabric, player)
                        player.after_move(step)
            name, bad = max(bad_moves.items(), key=lambda item: item[1])
            if bad > settings.max_bad_steps:
                raise UserError(
                    f"the gradients of the {name} were not finite {bad} times in a row, at step "
                    f"{step}; lower its learning rate; the checkpoints before it are whole"
                )
            average.update(step)

            # Report.
            plain = None
            if step % settings.log_every == 0 or step == settings.steps:
                plain = {name: value.item() for name, value in figures.items()} | game.figures()
                seconds = time.perf_counter() - began
                examples = step * batches_a_step * settings.batch_size
                log.write(step, {**plain, "seconds": seconds, "examples": examples})
            progress.update(step, plain)
            if show_samples and first and _due(step, settings.sample_every):
                with average.in_place():
                    show_samples(game, step)
            judgement, due = Judgement(), bool(judge and _due(step, settings.evaluate_every))
            if judge and due and first:
                with average.in_place():
                    judgement = judge(game)
                log.write(step, judgement.figures())
            stopped = signals.received(fabric)
            if due or step % settings.save_every == 0 or step == settings.steps or stopped:
                not_saved = save(step, judgement)
            if stopped:
                break
        signal = signals.name
    if not_saved:
        raise UserError(not_saved)
    return Outcome(step, signal)


def _move(
    fabric: Fabric,
    wrapped: Any,
    player: Player,
    optimizer: Any,
    parts: list[Batch],
    settings: TrainingSettings,
) -> tuple[dict[str, Tensor], bool]:
    """One move of one player; terms averaged over the parts, and whether gradients were finite."""
    game, moving = wrapped.module, _may_move(fabric, player)
    loss = getattr(wrapped, player.loss.__name__)
    totals: dict[str, Tensor] = {}
    buffers = [(buffer, buffer.clone()) for buffer in game.buffers()]
    with only_trainable(game, player.parameters()), nullcontext() if moving else torch.no_grad():
        optimizer.zero_grad(set_to_none=True)
        for index, batch in enumerate(parts):
            last = index == len(parts) - 1
            with fabric.no_backward_sync(wrapped, enabled=not last):
                # Fabric's wrapper casts only in front of a strategy such as DDP, not without one.
                with fabric.autocast():
                    terms = loss(batch)
                if moving:
                    fabric.backward(torch.stack(list(terms.values())).sum() / len(parts))
            for name, term in terms.items():
                totals[name] = totals.get(name, 0) + term.detach().float() / len(parts)
    if not moving:
        return totals, True
    finite = _clip_to_norm(player, settings.clip_gradients)
    if finite:
        optimizer.step()
    else:  # an infinite activation would stay in BatchNorm's running moments for good
        for buffer, held in buffers:
            buffer.copy_(held)
    return totals, finite


def _may_move(fabric: Fabric, player: Player) -> bool:
    """The vote of the processes: a move waits for gradients from all of them."""
    if fabric.world_size == 1:
        return player.may_move()
    vote = torch.tensor(float(player.may_move()), device=fabric.device)
    return bool(over_processes(fabric, vote, "mean") >= 0.5)


def _clip_to_norm(player: Player, limit: float | None) -> bool:
    """Scales the gradients to the limit; false, and nothing done, if one is not finite."""
    gradients = [weight.grad for weight in player.parameters() if weight.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if not math.isfinite(norm.item()):
        return False
    if limit is not None:
        torch.nn.utils.clip_grads_with_norm_(player.parameters(), limit, norm)
    return True


def _agree_on_statistics(fabric: Fabric, player: Player) -> None:
    """Averages the player's running moments over the processes: constraints are made of them."""
    if fabric.world_size == 1:
        return
    for module in player.modules:
        for buffer in module.buffers():
            if buffer.is_floating_point():
                buffer.copy_(over_processes(fabric, buffer, "mean"))


def _to_batches(game: Game, drawn: tuple[Tensor, ...], parts: int) -> list[Batch]:
    examples, labels, *views = (tensor.to(game.device, non_blocking=True) for tensor in drawn)
    if tuple(examples.shape[1:]) != game.example_shape:
        raise UserError(
            f"the data gives examples of shape {tuple(examples.shape[1:])}, but the game wants "
            f"{game.example_shape}; make the data options agree with the game's"
        )
    found = tuple(views[0].shape[1:]) if views else None
    if game.view_shape is not None and found != game.view_shape:
        raise UserError(
            f"the data gives views of shape {found}, but the game wants {game.view_shape}; use "
            "data that has a view of each example, in this size"
        )
    pictures = signed(views[0]) if views else None
    return Batch(game.from_pixels(examples), labels, pictures).split(parts)


def _resume(
    run: Path,
    game: Game,
    players: list[Player],
    optimizers: list[torch.optim.Optimizer],
    average: WeightAverage,
) -> tuple[int, list[str]]:
    """Takes up the newest whole checkpoint; its step, and remarks on damaged ones."""
    folder, remarks = newest_whole_checkpoint(run)
    if folder is None:
        return 0, remarks
    state = load_state(folder)
    load_weights(game, folder)
    average.restore(state["raw"])
    for player, optimizer in zip(players, optimizers, strict=True):
        settings = [{**group} for group in optimizer.param_groups]
        optimizer.load_state_dict(state["players"][player.name])
        for group, now in zip(optimizer.param_groups, settings, strict=True):
            group |= {name: value for name, value in now.items() if name != "params"}
    return int(state["step"]), remarks


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _set_rate(optimizer: Any, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _channels_last_(game: nn.Module) -> None:
    for module in game.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim in (4, 5):
            layout = torch.channels_last if weight.ndim == 4 else torch.channels_last_3d
            weight.data = weight.data.to(memory_format=layout)

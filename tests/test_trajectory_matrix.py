"""Every host game on every trajectory builds, trains, samples, is saved and comes back the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import torch

from tests.tiny import TINY
from vidgen import TGAN, DifferentialSettings, MoCoGAN, TGANv2
from vidgen.adversarial.checkpoints import load_game
from vidgen.adversarial.latents import SeedRandomness
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit
from vidgen.errors import UserError

TINY_TGANV2 = {
    "frame_size": 64,
    "num_frames": 8,
    "widths": [6, 4, 4, 2, 2, 2, 2],
    "discriminator_width": 1,
    "latent_dim": 4,
    "singleton_pool": "skip",
}
TINY_MOCOGAN = {"frame_size": 16, "generator_width": 2, "discriminator_width": 2, "motion_dim": 5}

# Name of a host: its class and the options that make it small.
HOSTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "tgan": (TGAN, {**TINY, "slow_dim": 6, "fast_dim": 5}),
    "mocogan": (MoCoGAN, TINY_MOCOGAN),
    "tganv2": (TGANv2, TINY_TGANV2),
}
TRAJECTORIES = {
    "own": None,
    "ode1": "ode1",
    "ode2": "ode2",
    "ode3": "ode3",
    "sde": "sde",
    "top": DifferentialSettings(order=3, drive="top"),
}
TRAINING = TrainingSettings(
    steps=2, batch_size=4, save_every=2, sample_every=0, log_every=1, accelerator="cpu"
)
SEEDS = [3, 8]


def make_game(host: str, trajectory: Any) -> Any:
    kind, options = HOSTS[host]
    torch.manual_seed(1)
    return kind(**options, trajectory=trajectory)


def batches_for(game: Any) -> Callable[[int], Iterator[tuple[torch.Tensor, torch.Tensor]]]:
    """Endless clips of noise, a pure function of their number."""

    def batches(first: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for number in count(first):
            generator = torch.Generator().manual_seed(number)
            clips = torch.randint(0, 256, (4, *game.example_shape), generator=generator)
            yield clips.to(torch.uint8), torch.zeros(4, dtype=torch.long)

    return batches


@pytest.mark.parametrize("trajectory", TRAJECTORIES.values(), ids=TRAJECTORIES.keys())
@pytest.mark.parametrize("host", HOSTS)
def test_every_host_plays_on_every_trajectory(tmp_path, host, trajectory):
    game = make_game(host, trajectory)
    before = {name: weight.clone() for name, weight in game.generator.named_parameters()}
    assert fit(game, batches_for(game), TRAINING, tmp_path).step == 2
    still = [n for n, weight in game.generator.named_parameters() if weight.equal(before[n])]
    assert not still, "weights that training does not reach"

    clips = game.sample(SEEDS)
    num_frames = game.example_shape[1]
    assert clips.shape == (2, *game.example_shape)
    # Narrow networks have whole frames behind rectifiers that are shut: one moving frame is enough.
    assert (clips[:, :, 1:] - clips[:, :, :-1]).abs().flatten(1).amax(1).min() > 0, "it moves"
    torch.testing.assert_close(game.sample(SEEDS[1:]), clips[1:])  # a seed's own, in any batch

    half = num_frames // 2
    torch.testing.assert_close(game.sample(SEEDS, num_frames=half), clips[:, :, :half])
    finer = game.interpolate(SEEDS, 2)
    assert finer.shape[2] == 2 * num_frames - 1
    torch.testing.assert_close(finer[:, :, ::2], clips)
    if game.continuous:
        check_continuous_time(game, clips, stochastic=trajectory == "sde")
    else:
        with pytest.raises(UserError, match=r"game\.trajectory"):
            game.sample_at(SEEDS, [0.5])

    loaded = load_game(tmp_path).game
    assert loaded.describe() == game.describe()
    assert torch.equal(loaded.sample(SEEDS), clips)
    assert torch.equal(loaded.interpolate(SEEDS, 2), finer)


@pytest.mark.parametrize("host", HOSTS)
def test_an_interrupted_stochastic_run_equals_an_uninterrupted_one(tmp_path, host):
    whole, begun, resumed = (make_game(host, "sde") for _ in range(3))
    fit(whole, batches_for(whole), TRAINING, tmp_path / "whole")
    fit(begun, batches_for(begun), replace(TRAINING, steps=1), tmp_path / "halves")
    fit(resumed, batches_for(resumed), TRAINING, tmp_path / "halves")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
        if "diffusion" in name:
            assert not torch.equal(value, begun.state_dict()[name]), name


def check_continuous_time(game: Any, clips: torch.Tensor, stochastic: bool) -> None:
    """Longer, finer, shuffled and earlier frames go with the frames of `sample`."""
    num_frames = clips.shape[2]
    longer = game.sample(SEEDS, num_frames=num_frames + 3)
    torch.testing.assert_close(longer[:, :, :num_frames], clips)
    assert not torch.allclose(longer[:, :, -1], longer[:, :, -2])
    times = [2, 0.25, num_frames + 2, 1, 0]
    shuffled = game.sample_at(SEEDS, times)
    torch.testing.assert_close(
        shuffled[:, :, [0, 2, 3, 4]], longer[:, :, [2, num_frames + 2, 1, 0]]
    )
    between = (shuffled[:, :, 1] - clips[:, :, 0]).abs().mean()
    assert 0 < between < 2 * (clips[:, :, 1] - clips[:, :, 0]).abs().mean()
    if stochastic:
        with pytest.raises(UserError, match="frame -1 lies before frame 0"):
            game.sample_at(SEEDS, [-1])
    else:
        earlier = game.sample_at(SEEDS, [-1, -0.5, 0])
        assert not torch.allclose(earlier[:, :, 0], clips[:, :, 0])
        torch.testing.assert_close(earlier[:, :, 2], clips[:, :, 0])


def test_a_stochastic_clip_takes_its_seeds_path_and_no_other():
    """Without motion noise MoCoGAN's content and start are drawn alike; the path is not."""
    game = make_game("mocogan", "sde")
    latents = game.latents(SeedRandomness(SEEDS), 2)
    first, second = latents.path_seeds.tolist()
    assert first != second
    twins = latents.clips([0, 0])
    clips = game.render(replace(twins, path_seeds=torch.tensor([first, second])))
    assert torch.equal(clips[0, :, 0], clips[1, :, 0])
    assert not torch.allclose(clips[0, :, 1:], clips[1, :, 1:])
    torch.testing.assert_close(clips[:1], game.sample(SEEDS[:1]))


def test_an_equation_takes_no_category_frame_by_frame_but_the_images_may():
    kind, options = HOSTS["mocogan"]
    with pytest.raises(ValueError, match="set category_to to generator"):
        kind(**options, num_classes=3, trajectory="ode1")
    with pytest.raises(ValueError, match="leave noise_dim out"):
        kind(**options, noise_dim=4, trajectory="ode1")
    torch.manual_seed(1)
    game = kind(**options, num_classes=3, category_to="generator", trajectory="ode1")
    clips = game.sample_at([1], [0, 0.5], labels=[[0, 2]])
    torch.testing.assert_close(clips[:, :, 0], game.sample([1], labels=[0])[:, :, 0])
    assert not torch.allclose(clips, game.sample_at([1], [0, 0.5], labels=[[0, 0]]))


def test_a_conditional_tgan_keeps_a_seeds_path_under_every_label():
    torch.manual_seed(1)
    game = TGAN(**TINY, num_classes=2, trajectory="sde")
    game.label_counts += torch.tensor([1e9, 0.0])  # labels that are not given are class 0
    torch.testing.assert_close(game.sample(SEEDS), game.sample(SEEDS, labels=[0, 0]))
    assert not torch.allclose(game.sample(SEEDS, labels=[1, 0]), game.sample(SEEDS, labels=[0, 0]))


def test_a_walk_follows_one_path_and_begins_at_the_first_seeds_clip():
    torch.manual_seed(1)
    game = TGAN(**TINY, trajectory="sde")
    way = game.walk(3, 8, 3)
    torch.testing.assert_close(way[:1], game.sample([3]))

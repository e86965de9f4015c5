"""Games and batches of shapes small enough for tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from vidgen.adversarial.game import Batch
from voxel import VoxelGAN, VoxelVAEGAN

TINY: dict[str, Any] = {"resolution": 16, "latent_dim": 8, "width": 4, "discriminator_width": 4}
TINY_VIEWS: dict[str, Any] = {**TINY, "image_size": 32, "encoder_width": 2}


def tiny_gan(seed: int = 0, **options: Any) -> VoxelGAN:
    """A 3D-GAN of 16³ volumes; the seed fixes its initial weights."""
    torch.manual_seed(seed)
    return VoxelGAN(**{**TINY, **options})


def tiny_vae_gan(seed: int = 0, **options: Any) -> VoxelVAEGAN:
    """A 3D-VAE-GAN of 16³ volumes and 32 px views."""
    torch.manual_seed(seed)
    return VoxelVAEGAN(**{**TINY_VIEWS, **options})


def tiny_batch(count: int = 4, seed: int = 0) -> Batch:
    """Boxes of random sizes in [0, 1], labels 0 and 1, views of noise."""
    voxels, labels, views = next(tiny_shapes(seed, count))
    return Batch(voxels.float() / 255, labels, views.float() / 127.5 - 1)


def tiny_shapes(first: int, count: int = 4) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batch number `first` and all that follow, as the loader gives them."""
    number = first
    while True:
        generator = torch.Generator().manual_seed(number)
        sides = torch.randint(3, 8, (count, 3), generator=generator)
        voxels = torch.zeros(count, 1, 16, 16, 16, dtype=torch.uint8)
        for volume, (x, y, z) in zip(voxels, sides.tolist(), strict=True):
            volume[0, 8 - x : 8 + x, 8 - y : 8 + y, 8 - z : 8 + z] = 255
        views = torch.randint(0, 256, (count, 3, 32, 32), generator=generator).to(torch.uint8)
        yield voxels, torch.arange(count) % 2, views
        number += 1


def moved_weights(game: Any, name: str, batch: Batch) -> set[str]:
    """Submodules whose weights change when the player of that name makes a step of its own."""
    from vidgen.adversarial.game import only_trainable

    (player,) = (player for player in game.players() if player.name == name)
    optimizer = player.optimizer.build(player.parameters())
    before = {key: value.clone() for key, value in game.named_parameters()}
    with only_trainable(game, player.parameters()):
        torch.stack(list(player.loss(batch).values())).sum().backward()
    optimizer.step()
    changed = {
        key.partition(".")[0]
        for key, value in game.named_parameters()
        if not torch.equal(value, before[key])
    }
    wanted = {key for key, value in game.named_parameters() if value.grad is not None}
    assert {key.partition(".")[0] for key in wanted} == changed
    return changed

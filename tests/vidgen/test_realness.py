"""What the discriminators of trained games say of clips, for GAM."""

from __future__ import annotations

import pytest
import torch

from tests.tiny import tiny_game
from vidgen import TGAN, VGAN, MoCoGAN, TGANv2
from vidgen.adversarial.losses import LOSSES

SMALL = {"num_frames": 16, "frame_size": 64, "discriminator_width": 2}


def games():
    torch.manual_seed(0)
    yield tiny_game()
    yield tiny_game(num_classes=3)
    yield VGAN(num_frames=4, frame_size=16, latent_dim=6, width=4, discriminator_width=4)
    yield MoCoGAN(generator_width=2, noise=0.5, **SMALL)
    yield MoCoGAN(generator_width=2, video_discriminator="patches", **SMALL)
    yield TGANv2(num_frames=4, frame_size=64, widths=(4,) * 7, discriminator_width=1)
    yield TGANv2(num_frames=4, frame_size=64, widths=(4,) * 7, discriminator_width=1, num_classes=3)


@pytest.mark.parametrize("number", range(7))
def test_each_clip_has_one_opinion_whatever_is_beside_it(number):
    game = list(games())[number]
    clips = torch.rand(3, *game.example_shape) * 2 - 1
    labels = torch.tensor([0, 1, 2]) if game.num_classes else None
    game.train()
    together = game.realness(clips, labels)
    assert together.shape == (3,) and game.training
    alone = [game.realness(clips[n : n + 1], None if labels is None else labels[n : n + 1])
             for n in range(3)]  # fmt: skip
    assert torch.allclose(together, torch.cat(alone), rtol=1e-3, atol=1e-5)
    assert together.std() > 0, "it looks at the clips"
    if labels is not None:
        assert not torch.allclose(together, game.realness(clips, labels.flip(0)))


def test_undecided_logits_lie_where_the_losses_have_their_middle():
    for name in ("minimax", "non_saturating", "hinge"):
        assert LOSSES[name].neutral == 0
    assert LOSSES["least_squares"].neutral == 0.5 and LOSSES["wasserstein"].neutral is None


def test_the_opinion_is_that_of_the_trained_network():
    game: TGAN = tiny_game()
    clips = torch.rand(2, *game.example_shape) * 2 - 1
    game.eval()
    assert torch.equal(game.realness(clips), game.critic(clips))
    game = TGANv2(num_frames=4, frame_size=64, widths=(4,) * 7, discriminator_width=1).eval()
    clips = torch.rand(2, *game.example_shape) * 2 - 1
    # Levels of 8, 16, 32 and 64 pixels; of 4 frames each keeps every second of the one below.
    levels = [
        torch.nn.functional.avg_pool3d(clips[:, :, ::step], (1, side, side))
        for side, step in ((8, 1), (4, 2), (2, 4), (1, 8))
    ]
    judged = [judge(level, None) for judge, level in zip(game.discriminators, levels, strict=True)]
    assert torch.allclose(game.realness(clips), torch.stack(judged).sum(0), atol=1e-5)

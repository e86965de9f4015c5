"""MoCoGAN from one image."""

import pytest
import torch
from torch import nn

from vidgen import ImageToVideoMoCoGAN
from vidgen.adversarial.described import build
from vidgen.adversarial.game import Batch, only_trainable
from vidgen.errors import UserError
from vidgen.mocogan_image import ImageEncoder


def make_game(**options):
    torch.manual_seed(0)
    tiny = {
        "frame_size": 16,
        "generator_width": 2,
        "discriminator_width": 2,
        "encoder_width": 2,
        "remembered": 6,
    }
    return ImageToVideoMoCoGAN(**(tiny | options))


def make_batch(count=4, first=0):
    generator = torch.Generator().manual_seed(first)
    real = torch.rand(count, 3, 16, 16, 16, generator=generator) * 2 - 1
    return Batch(real, torch.zeros(count, dtype=torch.long))


def test_every_map_of_the_encoder_has_the_size_of_the_sheet():
    with torch.device("meta"):
        encoder, images = ImageEncoder(50, 10, 64, 3, 64), torch.zeros(2, 3, 64, 64)
    shapes = []
    for layer in encoder.layers:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(
                lambda part, given, out: shapes.append(tuple(out.shape[1:]))
            )
    content, motion = encoder(images)
    assert shapes == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (60, 1, 1)]
    assert content.shape == (2, 50)
    assert motion.shape == (2, 10)
    convolutions = 64 * 16 * (3 + 64 * 2 + 128 * 4 + 256 * 8)
    norms, last = 2 * (128 + 256 + 512), 60 * (512 * 16 + 1)
    assert sum(weight.numel() for weight in encoder.parameters()) == convolutions + norms + last


def test_frame_zero_is_the_drawing_of_the_images_own_code():
    game, images = make_game(), make_batch().real[:, :, 0]
    clips = game.animate(images)
    game.eval()
    with torch.no_grad():
        content, motion = game.encoder(images)
        frames = game.generator.image(torch.cat([content, motion], dim=1))
    assert torch.allclose(clips[:, :, 0], frames, atol=1e-5)
    assert (clips[:, :, 1] != clips[:, :, 0]).flatten(1).any(1).all()


def test_same_image_and_seed_give_the_same_clip_at_any_length_and_in_any_batch():
    game, images = make_game(), make_batch().real[:, :, 0]
    short = game.animate(images, seeds=[4, 5, 6, 7])
    long = game.animate(images[[3, 1]], 40, [7, 5])
    assert long.shape == (2, 3, 40, 16, 16)
    assert torch.equal(long[:, :, :16], short[[3, 1]])


def test_another_seed_moves_the_same_image_differently():
    game, images = make_game(), make_batch(1).real[:, :, 0]
    one, other = game.animate(images, seeds=[1]), game.animate(images, seeds=[2])
    assert torch.equal(one[:, :, 0], other[:, :, 0])
    assert (one[:, :, 1:] != other[:, :, 1:]).flatten(3).any(3).all()


def test_reconstruction_is_the_weighted_mean_difference_of_frame_zero_and_the_image():
    game, batch = make_game(reconstruction_weight=7.0), make_batch()
    seen = []
    game.video_discriminator.register_forward_hook(lambda part, given, out: seen.append(given[0]))
    terms = game.generator_loss(batch)
    assert set(terms) == {"image", "video", "reconstruction"}
    difference = (seen[0][:, :, 0] - batch.real[:, :, 0]).abs().mean().item()
    assert terms["reconstruction"].item() == pytest.approx(7 * difference, rel=1e-5)


def test_training_clips_begin_with_the_codes_of_the_real_first_frames():
    game, batch = make_game(), make_batch()
    codes = game._fake_codes(batch)[0]
    content, motion = game.encoder(batch.real[:, :, 0])
    assert torch.allclose(codes[:, 0], torch.cat([content, motion], dim=1), atol=1e-5)
    assert torch.allclose(codes[:, 9, :50], content, atol=1e-5)


def test_encoder_moves_with_the_generator_and_never_with_a_judge():
    game, batch = make_game(), make_batch()
    for player in game.players():
        game.zero_grad(set_to_none=True)
        with only_trainable(game, player.parameters()):
            torch.stack(list(player.loss(batch).values())).sum().backward()
        reached = {
            name.split(".")[0]
            for name, weight in game.named_parameters()
            if weight.grad is not None and weight.grad.abs().sum() > 0
        }
        expected = {"generator", "encoder"} if player.name == "generator" else {player.name}
        assert reached == expected


def test_reconstruction_alone_teaches_encoder_and_image_generator():
    game, batch = make_game(), make_batch()
    game.generator_loss(batch)["reconstruction"].backward()
    for network in (game.encoder, game.generator.image):
        assert all(
            weight.grad.abs().sum() > 0 for weight in network.parameters() if weight.ndim > 1
        )


def test_sample_animates_the_first_images_met_in_training():
    game = make_game()
    with pytest.raises(UserError, match="has seen no image yet"):
        game.sample([0])
    first, second = make_batch(4, 1), make_batch(4, 2)
    for batch in (first, second, make_batch(4, 3)):
        for player in game.players():
            player.loss(batch)
    kept = torch.cat([first.real[:, :, 0], second.real[:2, :, 0]])
    assert int(game.num_images) == 6
    assert torch.equal(game.images, kept)
    clip = game.sample([3], num_frames=20)
    assert torch.equal(clip[:, :, :16], game.sample([3]))


def test_fakes_begin_with_remembered_images_and_count_the_encoders_moments():
    game = make_game()
    game.generator_loss(make_batch())
    before = {name: value.clone() for name, value in game.encoder.named_buffers()}
    drawn = []
    game.generator.register_forward_pre_hook(lambda _, inputs: drawn.append(inputs[0]))
    game.randomness.turn_to(7)
    assert game.fakes(5).shape == (5, 3, 16, 16, 16)
    assert any(not torch.equal(before[name], value) for name, value in game.encoder.named_buffers())
    game.randomness.turn_to(7)
    content, start = game.encoder(game.images[game.randomness.choice(5, torch.ones(4))])
    assert torch.equal(drawn[0].content, content) and torch.equal(drawn[0].start, start)


def test_images_of_another_size_give_one_line():
    with pytest.raises(UserError, match=r"images of shape \(3, 8, 8\) were given, but this game"):
        make_game().animate(torch.zeros(1, 3, 8, 8))


def test_video_lengths_have_no_meaning_here():
    with pytest.raises(ValueError, match="leave it out"):
        make_game(video_lengths=[40])


def test_game_is_rebuilt_from_its_description_with_all_options():
    game = make_game(content_dim=7, reconstruction_weight=3.0)
    game.generator_loss(make_batch())
    description = game.describe()
    assert description["class_path"] == "vidgen.ImageToVideoMoCoGAN"
    assert description["init_args"]["content_dim"] == 7
    again = build(description)
    again.load_state_dict(game.state_dict())
    assert again.reconstruction_weight == 3.0
    assert torch.equal(again.sample([1]), game.sample([1]))

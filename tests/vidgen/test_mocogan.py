"""The game: what each player sees, wants and may change."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from vidgen import MoCoGAN, OptimizerSettings
from vidgen.adversarial.game import Batch, only_trainable
from vidgen.errors import UserError


def make_game(**options):
    torch.manual_seed(0)
    tiny = {"frame_size": 16, "generator_width": 2, "discriminator_width": 2}
    return MoCoGAN(**(tiny | options))


def make_batch(count=4, classes=3):
    generator = torch.Generator().manual_seed(1)
    real = torch.rand(count, 3, 16, 16, 16, generator=generator) * 2 - 1
    return Batch(real, torch.arange(count) % classes)


def softplus(values):
    return np.logaddexp(0, values)


def cross_entropy(logits, labels):
    """Mean of -log of the softmax at the labels."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    chosen = shifted[np.arange(len(labels)), labels] / shifted.sum(1)
    return -np.log(chosen).mean()


class Witness:
    """Remembers what a module was given and gave, call by call."""

    def __init__(self, module):
        self.inputs, self.outputs = [], []
        module.register_forward_hook(self._see)

    def _see(self, module, given, output):
        self.inputs.append(given[0])
        self.outputs.append(output)


def moved(game, loss, batch):
    """Names of the networks that the sum of a loss's terms reaches."""
    game.zero_grad(set_to_none=True)
    torch.stack(list(loss(batch).values())).sum().backward()
    return {
        name.split(".")[0]
        for name, weight in game.named_parameters()
        if weight.grad is not None and weight.grad.abs().sum() > 0
    }


# What each judge sees.


def test_image_judge_sees_one_random_frame_of_every_real_clip_then_as_many_fakes():
    game, batch = make_game(), make_batch(64)
    judge = Witness(game.image_discriminator)
    game.image_discriminator_loss(batch)
    real, fake = judge.inputs
    moments = [
        [torch.equal(frame, clip[:, moment]) for moment in range(16)].index(True)
        for frame, clip in zip(real, batch.real, strict=True)
    ]
    assert len(set(moments)) > 10
    assert fake.shape == real.shape
    assert len(torch.unique(fake.flatten(1), dim=0)) == 64


def test_video_judge_sees_the_real_clips_then_as_many_fakes():
    game, batch = make_game(), make_batch()
    judge = Witness(game.video_discriminator)
    game.video_discriminator_loss(batch)
    real, fake = judge.inputs
    assert torch.equal(real, batch.real)
    assert fake.shape == real.shape
    assert not torch.equal(fake, real)


def test_content_stays_and_motion_goes_within_every_fake_clip():
    game, batch = make_game(), make_batch()
    drawn = Witness(game.generator.image)
    game.generator_loss(batch)
    codes = drawn.inputs[-1].unflatten(0, (4, 16))
    assert torch.equal(codes[:, :, :50], codes[:, :1, :50].expand(-1, 16, -1))
    assert (codes[:, 1:, 50:] != codes[:, :-1, 50:]).any(2).all()
    assert len(torch.unique(codes[:, 0, :50], dim=0)) == 4


def test_every_move_draws_fakes_of_its_own():
    game, batch = make_game(), make_batch()
    drawn = Witness(game.generator.image)
    for player in game.players():
        player.loss(batch)
    contents = [codes[::16, :50] if len(codes) > 4 else codes[:, :50] for codes in drawn.inputs]
    assert len(contents) == 4
    assert len(torch.unique(torch.cat(contents), dim=0)) == 16


class BlackImages(nn.Module):
    """Draws nothing, at once."""

    def forward(self, codes):
        return torch.zeros(len(codes), 1, 1, 1)


class CountingMotion(nn.Module):
    """Motion codes that say which frame they belong to."""

    def forward(self, start, inputs):
        return torch.arange(inputs.shape[1]).float().view(1, -1, 1).expand(len(start), -1, 10)


def test_judges_look_into_every_part_of_videos_of_different_lengths():
    game = make_game(video_lengths=[20, 40, 9])
    game.generator.motion, game.generator.image = CountingMotion(), BlackImages()
    batch = Batch(torch.zeros(2000, 1), torch.zeros(2000, dtype=torch.long))
    lengths = game._fake_codes(batch)[1]
    assert set(lengths) == {20, 40, 16}  # shorter than a clip counts as a clip
    drawn = Witness(game.generator.image)
    with torch.no_grad():
        game._fake_frames(batch)
        game._fake_clips(batch)
    moments = drawn.inputs[0][:, -1].long()
    assert set(moments.tolist()) == set(range(40))
    windows = drawn.inputs[1][:, -1].long().unflatten(0, (2000, 16))
    assert torch.equal(windows, windows[:, :1] + torch.arange(16))
    assert set(windows[:, 0].tolist()) == set(range(25))


def test_every_video_has_the_trained_length_unless_told_otherwise():
    game, batch = make_game(), make_batch()
    codes, lengths, _ = game._fake_codes(batch)
    assert lengths == [16] * 4
    assert codes.shape == (4, 16, 60)


# What each player wants, against numpy.


def test_image_judge_wants_real_scores_up_and_fake_scores_down():
    game, batch = make_game(), make_batch()
    judge = Witness(game.image_discriminator)
    terms = game.image_discriminator_loss(batch)
    real, fake = (scores.detach().numpy() for scores in judge.outputs)
    assert set(terms) == {"adversarial"}
    expected = softplus(-real).mean() + softplus(fake).mean()
    assert terms["adversarial"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("patches", ["whole", "patches"])
def test_video_judge_wants_real_scores_up_and_fake_scores_down(patches):
    game, batch = make_game(video_discriminator=patches), make_batch()
    judge = Witness(game.video_discriminator)
    terms = game.video_discriminator_loss(batch)
    real, fake = (judged.scores.detach().numpy() for judged in judge.outputs)
    assert set(terms) == {"adversarial"}
    expected = softplus(-real).mean() + softplus(fake).mean()
    assert terms["adversarial"].item() == pytest.approx(expected, rel=1e-5)


def test_generator_wants_both_judges_scores_of_its_fakes_up():
    game, batch = make_game(), make_batch()
    frames, clips = Witness(game.image_discriminator), Witness(game.video_discriminator)
    terms = game.generator_loss(batch)
    assert set(terms) == {"image", "video"}
    image = softplus(-frames.outputs[0].detach().numpy()).mean()
    video = softplus(-clips.outputs[0].scores.detach().numpy()).mean()
    assert terms["image"].item() == pytest.approx(image, rel=1e-5)
    assert terms["video"].item() == pytest.approx(video, rel=1e-5)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("supervised", {"real_category"}),
        ("infogan", {"fake_category"}),
        ("both", {"real_category", "fake_category"}),
    ],
)
def test_categories_are_learned_from_labels_or_from_what_the_generator_was_told(mode, expected):
    game = make_game(num_classes=3, category_mode=mode, category_weight=0.5)
    batch = make_batch(6)
    told, judge = Witness(game.generator.motion.cell), Witness(game.video_discriminator)
    terms = game.video_discriminator_loss(batch)
    assert set(terms) == {"adversarial"} | expected
    real, fake = (judged.categories.detach().numpy() for judged in judge.outputs)
    if "real_category" in expected:
        value = 0.5 * cross_entropy(real, batch.labels.numpy())
        assert terms["real_category"].item() == pytest.approx(value, rel=1e-5)
    if "fake_category" in expected:
        categories = told.inputs[0][:, :3].argmax(1).numpy()
        value = 0.5 * cross_entropy(fake, categories)
        assert terms["fake_category"].item() == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("mode", ["supervised", "infogan", "both"])
def test_generator_wants_its_categories_recognised(mode):
    game, batch = make_game(num_classes=3, category_mode=mode, category_weight=2.0), make_batch(6)
    told, judge = Witness(game.generator.motion.cell), Witness(game.video_discriminator)
    terms = game.generator_loss(batch)
    assert set(terms) == {"image", "video", "category"}
    one_hot = told.inputs[-1][:, :3].detach()
    assert torch.equal(one_hot.sum(1), torch.ones(6))
    logits = judge.outputs[0].categories.detach().numpy()
    value = 2 * cross_entropy(logits, one_hot.argmax(1).numpy())
    assert terms["category"].item() == pytest.approx(value, rel=1e-5)


def test_category_stays_within_a_fake_clip():
    game, batch = make_game(num_classes=3), make_batch(8)
    told = Witness(game.generator.motion.cell)
    game.generator_loss(batch)
    by_frame = torch.stack([given[:, :3] for given in told.inputs[-16:]], dim=1)
    assert torch.equal(by_frame, by_frame[:, :1].expand(-1, 16, -1))
    assert len(torch.unique(by_frame[:, 0], dim=0)) > 1


# What each player may change.


def test_players_move_in_the_order_of_the_code():
    assert [player.name for player in make_game().players()] == [
        "image_discriminator",
        "video_discriminator",
        "generator",
    ]
    without = make_game(image_discriminator="none")
    assert [player.name for player in without.players()] == ["video_discriminator", "generator"]
    assert set(without.generator_loss(make_batch())) == {"video"}


@pytest.mark.parametrize("mode", ["supervised", "infogan"])
@pytest.mark.parametrize("category_to", ["rnn", "generator"])
def test_gradients_of_a_judge_reach_that_judge_alone(mode, category_to):
    game = make_game(num_classes=3, category_mode=mode, category_to=category_to)
    batch = make_batch()
    # Nothing is frozen here: the losses themselves cut the generator off.
    assert moved(game, game.image_discriminator_loss, batch) == {"image_discriminator"}
    assert moved(game, game.video_discriminator_loss, batch) == {"video_discriminator"}


@pytest.mark.parametrize("category_to", ["rnn", "generator"])
def test_gradients_of_the_generator_reach_all_of_it_and_nothing_else(category_to):
    game, batch = make_game(num_classes=3, category_to=category_to), make_batch()
    generator = game.players()[-1]
    with only_trainable(game, generator.parameters()):
        assert moved(game, generator.loss, batch) == {"generator"}
    still = [
        name
        for name, weight in game.generator.named_parameters()
        if weight.grad is None or weight.grad.abs().sum() == 0
    ]
    assert still == []


def test_each_of_the_generators_terms_alone_moves_motion_and_images():
    game, batch = make_game(num_classes=3), make_batch()
    for term in ("image", "video", "category"):
        game.zero_grad(set_to_none=True)
        game.generator_loss(batch)[term].backward()
        for network in (game.generator.motion, game.generator.image):
            assert sum(weight.grad.abs().sum() for weight in network.parameters()) > 0


@pytest.mark.parametrize(
    ("mode", "term"), [("infogan", "fake_category"), ("supervised", "real_category")]
)
def test_category_channels_learn_and_the_score_channel_does_not(mode, term):
    game, batch = make_game(num_classes=3, category_mode=mode), make_batch()
    game.video_discriminator_loss(batch)[term].backward()
    last = game.video_discriminator.layers[-1].weight.grad
    assert last[0].abs().sum() == 0
    assert (last[1:].flatten(1).abs().sum(1) > 0).all()


def test_without_categories_there_are_no_category_channels():
    game = make_game()
    assert game.video_discriminator.layers[-1].weight.shape[0] == 1
    assert game.generator.motion.input_dim == 10


def test_judges_running_moments_count_their_own_moves_only():
    game, batch = make_game(), make_batch()
    judges = [game.image_discriminator, game.video_discriminator]
    before = [buffer.clone() for judge in judges for buffer in judge.buffers()]
    game.generator_loss(batch)
    after = [buffer for judge in judges for buffer in judge.buffers()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    game.image_discriminator_loss(batch)
    assert not torch.equal(before[0], after[0])


# Options and labels.


def test_defaults_are_the_papers():
    parameters = inspect.signature(MoCoGAN.__init__).parameters
    game = {name: parameter.default for name, parameter in parameters.items()}
    assert (game["content_dim"], game["motion_dim"], game["noise_dim"]) == (50, 10, None)
    assert game["category_to"] == "rnn"
    adam = game["optimizer"]
    assert (adam.rule, adam.learning_rate, adam.betas) == ("adam", 2e-4, (0.5, 0.999))
    assert adam.weight_decay == 1e-5


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, 3_249_684),
        ({"num_classes": 6}, 3_249_864),
        ({"num_classes": 6, "category_to": "generator"}, 3_298_836),
    ],
)
def test_the_category_makes_the_network_larger_that_is_told_it(options, parameters):
    with torch.device("meta"):
        game = MoCoGAN(**options)
    assert sum(weight.numel() for weight in game.generator.parameters()) == parameters


def test_discriminators_may_have_an_optimizer_of_their_own():
    slow = OptimizerSettings(learning_rate=1e-5)
    rates = [
        player.optimizer.learning_rate
        for player in make_game(discriminator_optimizer=slow).players()
    ]
    assert rates == [1e-5, 1e-5, 2e-4]


def test_normal_initialization_reaches_every_convolution():
    game = make_game(initialization="dcgan_normal", generator_width=16, discriminator_width=16)
    for network in (game.generator.image, game.image_discriminator, game.video_discriminator):
        for layer in network.layers:
            if hasattr(layer, "kernel_size") and layer.weight.numel() > 5000:
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_labels_of_the_data_outside_the_range_give_one_line():
    game, batch = make_game(num_classes=3), make_batch()
    batch.labels = torch.tensor([0, 1, 2, 3])
    with pytest.raises(UserError, match="label 3 is outside 0 … 2; set game"):
        game.video_discriminator_loss(batch)


def test_data_without_labels_give_one_line():
    game, batch = make_game(num_classes=3), make_batch()
    batch.labels = torch.full((4,), -1)
    with pytest.raises(UserError, match="the data has no labels"):
        game.video_discriminator_loss(batch)


def test_infogan_needs_no_labels():
    game, batch = make_game(num_classes=3, category_mode="infogan"), make_batch()
    batch.labels = torch.full((4,), -1)
    assert game.num_classes == 0
    assert "fake_category" in game.video_discriminator_loss(batch)


@pytest.mark.parametrize("mode", ["supervised", "infogan"])
def test_categories_asked_for_outside_the_range_give_one_line(mode):
    game = make_game(num_classes=3, category_mode=mode)
    with pytest.raises(UserError, match=r"(label|category) 3 is outside 0 … 2"):
        game.sample([0, 1], [1, 3])


def test_labels_for_a_game_without_categories_give_one_line():
    with pytest.raises(UserError, match="has no categories"):
        make_game().sample([0], [0])


def test_clips_shorter_than_the_judges_window_are_refused():
    with pytest.raises(
        ValueError, match="num_frames is 9, but the video discriminator looks at 10"
    ):
        make_game(num_frames=9)

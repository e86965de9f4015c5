import pytest
import torch
from torch import nn

from vidgen.adversarial.checkpoints import load_game, save_checkpoint
from vidgen.adversarial.game import Batch, only_trainable
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit
from vidgen.errors import UserError
from vidgen.vgan_image import NUM_KEPT_IMAGES, ImageVGAN

SMALL = {"num_frames": 4, "frame_size": 16, "width": 4, "latent_dim": 6}
ENCODERS = ["wide", "bottleneck"]


def small_game(**options):
    torch.manual_seed(3)
    return ImageVGAN(**(SMALL | options))


def small_batch(count=3, seed=5):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 3, 4, 16, 16), generator=generator)
    return Batch(pixels / 127.5 - 1, torch.full((count,), -1))


class Repeats(nn.Module):
    """Clips whose frame t is the image plus (t + 1)·`step`, under a mask of 1/2."""

    def __init__(self, step):
        super().__init__()
        self.step = nn.Parameter(torch.tensor(step))

    def forward(self, images):
        later = torch.arange(1, 5).view(1, 1, 4, 1, 1) * self.step
        video = images.unsqueeze(2) + later
        return {"video": video, "mask": torch.full_like(video[:, :1], 0.5)}


@pytest.mark.parametrize(
    ("options", "generator", "discriminator"),
    [
        ({}, 68_216_455, 44_135_810),
        ({"encoder": "bottleneck"}, 3_577_636 + 16_245_383, 11_057_858),
    ],
)
def test_the_published_sizes_are_met(options, generator, discriminator):
    with torch.device("meta"):
        game = ImageVGAN(**options)
    assert sum(weight.numel() for weight in game.generator.parameters()) == generator
    assert sum(weight.numel() for weight in game.discriminator.parameters()) == discriminator


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 10 * 0.25),
        ({"first_frame_distance": "squared"}, 10 * 0.0625),
        ({"first_frame_weight": 2.0}, 2 * 0.25),
    ],
)
def test_the_first_frame_term_equals_hand_computed_values(options, expected):
    game = small_game(**options)
    game.generator = Repeats(-0.25)
    terms = game.generator_loss(small_batch())
    assert set(terms) == {"adversarial", "first_frame"}
    assert terms["first_frame"].item() == pytest.approx(expected, rel=1e-5)


def test_the_mask_prior_is_an_option():
    game = small_game(mask_weight=0.1)
    game.generator = Repeats(0.0)
    assert game.generator_loss(small_batch())["mask"].item() == pytest.approx(0.05)


def test_the_condition_is_the_first_frame_of_the_real_clip():
    game, batch, seen = small_game(), small_batch(), []
    game.generator.encoder.register_forward_hook(lambda *hook: seen.append(hook[1][0]))
    for player in game.players():
        player.loss(batch)
    assert len(seen) == 2
    assert all(torch.equal(images, batch.real[:, :, 0]) for images in seen)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_gradients_reach_exactly_the_player_that_moves(encoder):
    game, batch = small_game(encoder=encoder), small_batch()
    for player in game.players():
        game.zero_grad(set_to_none=True)
        with only_trainable(game, player.parameters()):
            torch.stack(list(player.loss(batch).values())).sum().backward()
        own = {id(weight) for weight in player.parameters()}
        for name, weight in game.named_parameters():
            assert (weight.grad is not None) == (id(weight) in own), name
    first = game.generator.encoder.layers[0].weight.grad
    assert first.abs().sum() > 0


def test_the_first_frame_term_teaches_the_generator_to_begin_with_the_image():
    game, batch = small_game(width=8, first_frame_weight=100.0), small_batch(4)
    player = next(player for player in game.players() if player.name == "generator")
    optimizer = player.optimizer.build(player.parameters())
    distances = []
    for _ in range(60):
        optimizer.zero_grad()
        with only_trainable(game, player.parameters()):
            terms = player.loss(batch)
            torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        distances.append(terms["first_frame"].item())
    assert distances[-1] < 0.95 * distances[0]


def test_animate_goes_on_from_each_image_by_itself():
    game = small_game()
    for player in game.players():
        player.loss(small_batch())
    images = small_batch(3).real[:, :, 0]
    clips = game.animate(images)
    assert clips.shape == (3, 3, 4, 16, 16)
    torch.testing.assert_close(game.animate(images[1:2]), clips[1:2])
    assert torch.equal(game.animate(images, num_frames=2), clips[:, :, :2])
    assert not torch.equal(clips[0], clips[1])
    assert game.training


def test_images_of_another_size_are_refused_with_both_sizes():
    with pytest.raises(UserError, match=r"are 3 x 8 x 8, but .* 3 x 16 x 16 .*; resize"):
        small_game().animate(torch.zeros(1, 3, 8, 8))


def test_lengths_that_it_cannot_make_are_refused():
    with pytest.raises(UserError, match="makes 1 to 4 frames, not 5"):
        small_game().animate(torch.zeros(1, 3, 16, 16), num_frames=5)


def test_samples_by_seed_go_on_from_the_first_images_of_the_training():
    game = small_game()
    with pytest.raises(UserError, match="has met none yet"):
        game.sample([0])
    batches = [small_batch(24, seed) for seed in range(4)]
    for batch in batches:
        game.generator_loss(batch)
    met = torch.cat([batch.real[:, :, 0] for batch in batches])[:NUM_KEPT_IMAGES]
    assert int(game.num_kept) == NUM_KEPT_IMAGES
    torch.testing.assert_close(game.from_pixels(game.kept_images), met)
    clips, possible = game.sample(range(8)), game.animate(met)
    distances = (clips.unsqueeze(1) - possible.unsqueeze(0)).abs().amax(dim=(2, 3, 4, 5))
    assert (distances.min(dim=1).values < 1e-5).all()
    assert len(set(distances.argmin(dim=1).tolist())) > 3
    torch.testing.assert_close(game.sample([5]), clips[5:6])


def test_a_loaded_checkpoint_gives_the_same_samples(tmp_path):
    game = small_game()
    game.generator_loss(small_batch())
    save_checkpoint(tmp_path, 1, game.state_dict(), {}, {"game": game.describe()}, keep=1)
    loaded = load_game(tmp_path).game
    assert isinstance(loaded, ImageVGAN)
    assert torch.equal(loaded.sample([1, 2]), game.sample([1, 2]))


def test_interrupted_run_equals_uninterrupted_run(tmp_path):
    def batches(first):
        while True:
            real = small_batch(2, first).real
            yield ((real + 1) * 127.5).round().to(torch.uint8), torch.full((2,), -1)
            first += 1

    def train(run, steps):
        game = small_game(order="generator_first")
        settings = TrainingSettings(steps=steps, batch_size=2, sample_every=0, accelerator="cpu")
        fit(game, batches, settings, tmp_path / run)
        return game.state_dict()

    whole = train("whole", 4)
    train("halves", 2)
    halves = train("halves", 4)
    assert int(whole["num_kept"]) == 8
    for name, weight in whole.items():
        assert torch.equal(weight, halves[name]), name

import pytest
import torch

from vidgen import video_autoencoder
from vidgen.adversarial.checkpoints import load_game, save_checkpoint
from vidgen.adversarial.game import Batch
from vidgen.adversarial.latents import SeedRandomness
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit
from vidgen.errors import UserError
from vidgen.video_autoencoder import VideoAutoencoder

SMALL = {"num_frames": 4, "frame_size": 16, "latent_dim": 2, "width": 4, "num_components": 2}
FAST = OptimizerSettings(learning_rate=3e-3)


def small_game(**options):
    torch.manual_seed(3)
    return VideoAutoencoder(**(SMALL | options))


def small_batch(count=3, seed=5):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 3, 4, 16, 16), generator=generator)
    return Batch(pixels / 127.5 - 1, torch.full((count,), -1))


def two_clouds():
    """A quarter of the codes around (5, 0), wide along x = y; the rest around (-5, 1)."""
    normal = torch.randn(4000, 2, generator=torch.Generator().manual_seed(1))
    factors = torch.tensor([[[1.0, 0.0], [0.8, 0.2]], [[0.5, 0.0], [0.0, 0.3]]])
    means = torch.tensor([[5.0, 0.0], [-5.0, 1.0]])
    kind = torch.cat([torch.zeros(1000), torch.ones(3000)]).long()
    return means[kind] + torch.einsum("nij,nj->ni", factors[kind], normal), factors


def test_the_published_sizes_are_met():
    with torch.device("meta"):
        game = VideoAutoencoder()
    assert sum(weight.numel() for weight in game.encoder.parameters()) == 12_663_588
    assert sum(weight.numel() for weight in game.generator.parameters()) == 16_245_383


def test_the_loss_is_the_mean_squared_difference_of_clip_and_reconstruction():
    game, batch = small_game(), small_batch()
    made = []
    game.generator.register_forward_hook(lambda *hook: made.append(hook[2]["video"]))
    loss = game.reconstruction_loss(batch)["reconstruction"]
    assert loss.item() == pytest.approx(((made[0] - batch.real) ** 2).sum().item() / 9216, rel=1e-5)


def test_encoder_and_decoder_learn_together():
    game, batch = small_game(width=8, optimizer=FAST), small_batch(2)
    (player,) = game.players()
    game.reconstruction_loss(batch)["reconstruction"].backward()
    assert {id(weight) for weight in player.parameters()} == {id(w) for w in game.parameters()}
    assert all(weight.grad is not None for weight in game.parameters())
    optimizer = player.optimizer.build(player.parameters())
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = game.reconstruction_loss(batch)["reconstruction"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_running_moments_follow_the_codes():
    game = small_game()
    game._follow(torch.tensor([[1.0, 4.0], [3.0, 4.0]]))
    torch.testing.assert_close(game.code_mean, torch.tensor([0.2, 0.4]))
    # The mean squares around 0.2 and 0.4 are 4.24 and 12.96; a tenth of them joins 0.9.
    torch.testing.assert_close(game.code_variance, torch.tensor([1.324, 2.196]))


def test_before_the_fit_codes_come_from_the_running_moments():
    game = small_game()
    game.code_mean.copy_(torch.tensor([3.0, -1.0]))
    game.code_variance.copy_(torch.tensor([4.0, 0.25]))
    codes = game.sample_codes(SeedRandomness(range(2000)), 2000)
    torch.testing.assert_close(codes.mean(dim=0), torch.tensor([3.0, -1.0]), atol=0.15, rtol=0)
    torch.testing.assert_close(codes.std(dim=0), torch.tensor([2.0, 0.5]), atol=0.1, rtol=0)


@pytest.mark.parametrize("plentiful", [True, False])
def test_the_mixture_recovers_known_clouds(plentiful, monkeypatch):
    enough = 2000 if plentiful else 2001
    monkeypatch.setattr(video_autoencoder, "CODES_FOR_FULL_COVARIANCE", enough)
    codes, factors = two_clouds()
    game = small_game()
    game.fit_mixture(codes)
    order = game.mixture_means[:, 0].argsort(descending=True)
    weights, means = game.mixture_weights[order], game.mixture_means[order]
    torch.testing.assert_close(weights, torch.tensor([0.25, 0.75]), atol=1e-3, rtol=0)
    expected = torch.tensor([[5.0, 0.0], [-5.0, 1.0]])
    torch.testing.assert_close(means, expected, atol=0.1, rtol=0)
    covariances = game.mixture_factors @ game.mixture_factors.mT
    true = factors @ factors.mT
    if not plentiful:
        true = torch.diag_embed(true.diagonal(dim1=1, dim2=2))
    torch.testing.assert_close(covariances[order], true, atol=0.1, rtol=0)
    assert not game.mixture_factors.triu(1).any()


def test_fewer_gaussians_than_there_is_room_for_have_all_the_weight():
    game = small_game(num_components=5)
    game.fit_mixture(two_clouds()[0])
    assert (game.mixture_weights > 0).all()
    game.fit_mixture(two_clouds()[0], num_components=2)
    assert game.mixture_weights.tolist()[2:] == [0, 0, 0]
    assert sorted(game.mixture_weights.tolist()[:2]) == pytest.approx([0.25, 0.75], abs=1e-3)
    assert not game.mixture_means[2:].any() and not game.mixture_factors[2:].any()
    middles = game.sample_codes(SeedRandomness(range(50)), 50, truncation=0.0)
    assert middles[:, 0].abs().min() > 4, "none is drawn from what is left over"
    with pytest.raises(UserError, match="room for 1 to 5 Gaussians, not 6"):
        game.fit_mixture(two_clouds()[0], num_components=6)


def test_fakes_are_clips_of_codes_as_training_met_them():
    game = small_game()
    game.code_mean.fill_(3.0)
    game.code_variance.fill_(0.0)
    clips = game.eval().fakes(2)
    with torch.no_grad():
        expected = game.generator(torch.full((1, 2, 1, 1), 3.0))["video"]
    torch.testing.assert_close(clips, expected.expand(2, -1, -1, -1, -1))


def test_codes_of_the_mixture_have_its_moments():
    codes, _ = two_clouds()
    game = small_game()
    game.fit_mixture(codes)
    drawn = game.sample_codes(SeedRandomness(range(3000)), 3000)
    right, left = drawn[drawn[:, 0] > 0], drawn[drawn[:, 0] < 0]
    assert len(right) / 3000 == pytest.approx(0.25, abs=0.03)
    # Along x = y in the right cloud; a factor taken the wrong way round would differ.
    true = torch.tensor([[1.0, 0.8], [0.8, 0.68]])
    torch.testing.assert_close(right.T.cov(), true, atol=0.12, rtol=0)
    torch.testing.assert_close(left.mean(dim=0), torch.tensor([-5.0, 1.0]), atol=0.1, rtol=0)
    middles = game.sample_codes(SeedRandomness(range(50)), 50, truncation=0.0)
    assert torch.unique(middles, dim=0).shape == (2, 2)


def test_samples_are_the_decoded_codes_and_a_seed_gives_the_same_in_any_batch():
    game = small_game()
    game.reconstruction_loss(small_batch())
    game.fit_mixture(two_clouds()[0])
    clips = game.sample([4, 9, 2])
    torch.testing.assert_close(game.sample([9], num_frames=3), clips[1:2, :, :3])
    codes = game.sample_codes(SeedRandomness([4, 9, 2]), 3)
    game.eval()
    with torch.no_grad():
        assert torch.equal(game.generator(codes[:, :, None, None])["video"], clips)
    streams = game.streams([4])
    assert streams["mask"].shape == (1, 1, 4, 16, 16)


def test_reconstructions_go_through_the_code():
    game, clips = small_game(), small_batch().real
    codes = game.encode(clips)
    assert codes.shape == (3, 2)
    game.eval()
    with torch.no_grad():
        torch.testing.assert_close(codes, game.encoder(clips))
        expected = game.generator(codes[:, :, None, None])["video"]
    assert torch.equal(game.reconstruct(clips), expected)


def test_a_checkpoint_keeps_the_mixture(tmp_path):
    game = small_game()
    game.fit_mixture(two_clouds()[0])
    save_checkpoint(tmp_path, 1, game.state_dict(), {}, {"game": game.describe()}, keep=1)
    loaded = load_game(tmp_path).game
    assert isinstance(loaded, VideoAutoencoder)
    assert torch.equal(loaded.mixture_factors, game.mixture_factors)
    assert torch.equal(loaded.sample([1, 2]), game.sample([1, 2]))


def test_codes_that_cannot_be_fitted_are_refused():
    with pytest.raises(UserError, match="1 codes cannot be a mixture of 2"):
        small_game().fit_mixture(torch.zeros(1, 2))
    with pytest.raises(UserError, match="not finite"):
        small_game().fit_mixture(torch.full((5, 2), float("nan")))


def test_interrupted_run_equals_uninterrupted_run(tmp_path):
    def batches(first):
        while True:
            real = small_batch(2, first).real
            yield ((real + 1) * 127.5).round().to(torch.uint8), torch.full((2,), -1)
            first += 1

    def train(run, steps):
        game = small_game()
        settings = TrainingSettings(steps=steps, batch_size=2, sample_every=0, accelerator="cpu")
        fit(game, batches, settings, tmp_path / run)
        return game.state_dict()

    whole = train("whole", 4)
    train("halves", 2)
    halves = train("halves", 4)
    assert whole["code_mean"].any()
    for name, weight in whole.items():
        assert torch.equal(weight, halves[name]), name

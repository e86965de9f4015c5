import pytest
import torch
from torch.nn.functional import cross_entropy

from vidgen.errors import UserError
from vidgen.vgan import VGAN
from vidgen.vgan_classifier import action_classifier
from vidgen.video_autoencoder import VideoAutoencoder

SMALL = {"num_frames": 4, "frame_size": 16}


def small_game():
    torch.manual_seed(3)
    return VGAN(**SMALL, latent_dim=6, width=4, discriminator_width=4)


def clips(count=4):
    generator = torch.Generator().manual_seed(5)
    return torch.rand(count, 3, 4, 16, 16, generator=generator) * 2 - 1


def learn(classifier, steps=1):
    weights = [weight for weight in classifier.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(classifier(clips()), torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()


def test_101_classes_have_the_published_size():
    with torch.device("meta"):
        classifier = action_classifier(VGAN(), 101)
        logits = classifier(torch.empty(2, 3, 32, 64, 64))
    assert sum(weight.numel() for weight in classifier.parameters()) == 12_679_973
    assert logits.shape == (2, 101)


def test_the_number_of_classes_changes_only_the_last_layer():
    game = small_game()
    few, many = action_classifier(game, 3).state_dict(), action_classifier(game, 7).state_dict()
    differing = {name for name in few if few[name].shape != many[name].shape}
    assert few.keys() == many.keys()
    assert differing == {"head.weight", "head.bias"}
    assert all(torch.equal(few[name], many[name]) for name in few.keys() - differing)


def test_it_begins_with_the_weights_and_moments_of_the_game_and_leaves_the_game_alone():
    game = small_game()
    game.logits(clips())  # moves the running moments
    before = {name: value.clone() for name, value in game.state_dict().items()}
    classifier = action_classifier(game, 3)
    for name, value in classifier.trunk.state_dict().items():
        assert torch.equal(value, before[f"discriminator.trunk.{name}"]), name
    learn(classifier)
    assert all(torch.equal(value, before[name]) for name, value in game.state_dict().items())
    assert not torch.equal(classifier.trunk[0].weight, game.discriminator.trunk[0].weight)


def test_from_scratch_it_keeps_nothing_of_the_game():
    game = small_game()
    with torch.no_grad():
        game.discriminator.trunk[0].weight.add_(1.0)
    game.logits(clips())
    fresh = action_classifier(game, 3, pretrained=False)
    assert fresh.trunk[0].weight.std().item() == pytest.approx(0.01, rel=0.2)
    assert fresh.trunk[0].weight.mean().abs() < 0.01
    assert not fresh.trunk[3].running_mean.any()
    assert int(fresh.trunk[3].num_batches_tracked) == 0
    assert int(game.discriminator.trunk[3].num_batches_tracked) == 1


def test_a_linear_probe_leaves_the_trunk_bit_identical_and_fine_tuning_does_not():
    for frozen in (True, False):
        classifier = action_classifier(small_game(), 3, frozen=frozen)
        before = {name: value.clone() for name, value in classifier.state_dict().items()}
        classifier.train()
        learn(classifier, steps=2)
        kept = {
            name
            for name, value in classifier.state_dict().items()
            if torch.equal(value, before[name])
        }
        trunk = {name for name in before if name.startswith("trunk")}
        assert kept == (trunk if frozen else set())


def test_dropout_leaves_out_whole_maps_in_training_only():
    classifier = action_classifier(small_game(), 3, dropout=0.5)
    seen = []
    classifier.dropout.register_forward_hook(lambda *hook: seen.append((hook[1][0], hook[2])))
    classifier(clips(16))
    classifier.eval()
    with torch.no_grad():
        classifier(clips(16))
    features, dropped = seen[0]
    maps = dropped.flatten(2).abs().sum(dim=2)
    assert 0.3 < (maps == 0).float().mean() < 0.7
    kept = maps > 0
    torch.testing.assert_close(dropped[kept], 2 * features[kept])
    assert torch.equal(*seen[1])


def test_it_can_learn_what_it_is_told():
    torch.manual_seed(0)
    classifier = action_classifier(small_game(), 3, dropout=0.0)
    learn(classifier, steps=15)
    assert classifier(clips()).argmax(dim=1).tolist() == [0, 1, 2, 0]


def test_what_cannot_be_fine_tuned_is_refused():
    with pytest.raises(UserError, match=r"a VideoAutoencoder has no discriminator.*vidgen\.VGAN"):
        action_classifier(VideoAutoencoder(**SMALL, width=4, num_components=2), 3)
    with pytest.raises(ValueError, match="num_classes is 1"):
        action_classifier(small_game(), 1)

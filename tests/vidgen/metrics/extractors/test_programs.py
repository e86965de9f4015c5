"""I3D and identity networks as TorchScript files, and torchvision's models."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidgen.compiled_ops import import_torchvision
from vidgen.errors import UserError
from vidgen.metrics.extractors.i3d import I3DExtractor
from vidgen.metrics.extractors.identity import FrameEmbedder
from vidgen.metrics.extractors.torchvision_models import FrameModel, VideoModel


class Detector(nn.Module):
    """Stands for the I3D file: as its options ask, the mean level of each channel and frame 15."""

    def forward(self, x, rescale: bool, resize: bool, return_features: bool):
        assert rescale and resize and return_features
        return torch.cat([x.mean(dim=(2, 3, 4)), x[:, :, -1, 0, 0]], dim=1)


class MeanColor(nn.Module):
    def forward(self, x):
        return x.mean(dim=(2, 3))


def test_i3d_sees_levels_cut_off_after_the_point(tmp_path):
    torch.jit.script(Detector()).save(str(tmp_path / "i3d.pt"))
    extractor = I3DExtractor(tmp_path / "i3d.pt")
    clips = torch.full((2, 1, 20, 4, 4), 0.1)  # 140.75 of 255
    clips[1] = 3.0
    clips[:, :, 15] = -1.0
    logits, features = extractor(clips)
    assert features[:, 3:].tolist() == [[0] * 3] * 2
    assert features[:, 0].tolist() == [140 * 15 / 16, 255 * 15 / 16]
    assert torch.equal(logits, features)
    pixels = torch.arange(256).float() / 127.5 - 1
    seen = extractor.preprocessed(pixels.view(1, 1, 1, 16, 16).expand(1, 3, 16, 16, 16))
    assert seen[0, 0, 0].flatten().tolist() == list(range(256)), "recorded pixels stay as they are"
    assert extractor.literature and not extractor.sample_covariance


def test_what_is_no_torchscript_is_said(tmp_path):
    (tmp_path / "i3d.pt").write_text("no program")
    with pytest.raises(UserError, match=r"i3d.pt is not a TorchScript file"):
        I3DExtractor(tmp_path / "i3d.pt")
    with pytest.raises(UserError, match=r"--weights FILE; i3d_torchscript.pt"):
        I3DExtractor(None)
    with pytest.raises(UserError, match=r"--embedder FILE; a TorchScript file"):
        FrameEmbedder(None)


def test_the_embedder_gives_a_vector_for_each_frame(tmp_path):
    torch.jit.script(MeanColor()).save(str(tmp_path / "faces.pt"))
    embedder = FrameEmbedder(tmp_path / "faces.pt", 8)
    clips = torch.zeros(2, 3, 4, 6, 6)
    clips[1, 0, 3] = 1.0
    vectors = embedder(clips)
    assert vectors.shape == (2, 4, 3)
    assert vectors[1].tolist() == [[0.5] * 3] * 3 + [[1.0, 0.5, 0.5]]


def test_a_video_models_features_are_what_its_last_layer_sees(tmp_path):
    import_torchvision()
    from torchvision.models.video import mc3_18

    torch.manual_seed(0)
    network = mc3_18(weights=None).eval()
    torch.save(network.state_dict(), tmp_path / "mc3.pt")
    extractor = VideoModel("mc3_18", tmp_path / "mc3.pt")
    clips = torch.rand(1, 3, 2, 20, 20, generator=torch.Generator().manual_seed(1)) * 2 - 1
    seen = extractor.preprocessed(clips)
    assert seen.shape == (1, 3, 2, 112, 112)
    grey = extractor.preprocessed(torch.zeros(1, 1, 2, 20, 20))
    mean, spread = (
        torch.tensor([0.43216, 0.394666, 0.37645]),
        torch.tensor([0.22803, 0.22145, 0.216989]),
    )
    torch.testing.assert_close(grey[0, :, 0, 50, 50], (0.5 - mean) / spread)
    with torch.inference_mode():
        logits, features = extractor.judged(seen)
        torch.testing.assert_close(logits, network(seen))
        torch.testing.assert_close(features @ network.fc.weight.T + network.fc.bias, logits)
    assert not extractor.literature and extractor.name == "mc3_18"


def test_an_image_model_sees_every_frame(tmp_path):
    import_torchvision()
    from torchvision.models import resnet18

    torch.manual_seed(0)
    network = resnet18(weights=None).eval()
    torch.save(network.state_dict(), tmp_path / "resnet.pt")
    extractor = FrameModel("resnet18", tmp_path / "resnet.pt")
    clips = torch.rand(1, 3, 2, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1
    seen = extractor.preprocessed(clips)
    assert seen.shape == (1, 2, 3, 224, 224)
    with torch.inference_mode():
        logits, features = extractor.judged(seen)
        torch.testing.assert_close(logits[0], network(seen[0]).mean(dim=0), atol=1e-4, rtol=1e-4)
    assert features.shape == (1, 512) and extractor.name == "resnet18-frames"


def test_unknown_models_and_missing_weights_are_one_line():
    with pytest.raises(UserError, match="no model 'r3d_19'"):
        VideoModel("r3d_19", None)
    with pytest.raises(UserError, match=r"weights of r3d_18 must be given with --weights FILE"):
        VideoModel("r3d_18", None)

"""torch's own encoder, whose fast path in evaluation reads weights behind its submodules' backs."""

import unittest
import warnings

import toy
import torch
from torch import nn

import modelvault as mv
from modelvault.training import safetensors


class Encoder(nn.Module):
    """Tokens to logits."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(toy.VOCABULARY, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, toy.VOCABULARY)

    def forward(self, tokens):
        return self.head(self.encoder(self.embed(tokens)))


def make_encoder(seed):
    torch.manual_seed(seed)
    return Encoder()


class TransformerTest(toy.FolderTest):
    def test_factors_or_a_warning_for_every_weight(self):
        model = make_encoder(1)
        inputs = [x for x, _ in toy.make_batches()]
        for mode in (True, False):
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                names = mv.curvature(model.train(mode), inputs, self.folder / "c")
            text = " ".join(str(w.message) for w in said)
            found = safetensors.read(self.folder / "c").tensors
            for name, parameter in model.named_parameters():
                self.assertGreater(float(found[name + ".importance"].sum()), 0, name)
                if parameter.dim() >= 2 and name != "embed.weight":
                    self.assertNotEqual(name in names, name in text, name)
            self.assertIn("encoder.layers.1.linear2.weight", names)
            self.assertIn("encoder.layers.1.self_attn.in_proj_weight", text)

    def test_trained_exported_and_loaded_again(self):
        model, teacher = make_encoder(1), make_encoder(2)
        plan = mv.attach(model.train(), None, 900)
        for mode in (True, False):
            mv.distill(model.train(mode), teacher.train(mode), toy.make_batches(), 16)
            for name in ("encoder.layers.0.self_attn.in_proj_weight", "encoder.layers.0.self_attn.out_proj.weight",
                         "encoder.layers.1.linear1.weight", "head.weight"):
                changed = plan.tensors()[name] != plan.base.tensors[name]
                self.assertTrue(bool(changed.any()), name)
        mv.export(model, self.folder / "v")
        plain = make_encoder(3).eval()
        plain.load_state_dict(mv.load(self.folder / "v"))
        model.eval()
        tokens = toy.make_batches(1, seed=9)[0][0]
        slow = model(tokens).detach()
        with torch.no_grad():
            fast, reloaded = model(tokens), plain(tokens)
        self.assertTrue(torch.allclose(slow, fast, atol=1e-5))
        self.assertTrue(torch.allclose(slow, reloaded, atol=1e-5))
        self.assertTrue(torch.allclose(slow, plain(tokens), atol=1e-5))

    def test_tensor_weights(self):
        model = make_encoder(1)
        noise = torch.Generator().manual_seed(5)
        safetensors.write(self.folder / "r", {key: tensor + 0.05 * torch.randn(tensor.shape, generator=noise)
                                              for key, tensor in model.state_dict().items()})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mv.curvature(model, [x for x, _ in toy.make_batches()], self.folder / "c")
        found = mv.tensor_weights([(model, self.folder / "r", toy.make_batches())], self.folder / "c")
        weighted = [name for name, p in model.named_parameters() if p.dim() >= 2]
        self.assertEqual([name for name in weighted if not any(text in name for text in found)], [])


if __name__ == "__main__":
    unittest.main()

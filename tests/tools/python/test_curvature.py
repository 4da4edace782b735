"""The files that `mvault fit` takes."""

import unittest
import warnings

import toy
import torch
from torch import nn

import modelvault as mv
from modelvault.training import layer_moments, safetensors


class CurvatureTest(toy.FolderTest):
    def test_moments_of_a_linear_layer(self):
        torch.manual_seed(5)
        model = nn.Linear(4, 3)
        inputs = torch.randn(40_000, 4)
        names = mv.curvature(model, [inputs[:20_000], (inputs[20_000:], None)], self.folder / "c",
                             importance=self.folder / "i", names={"weight": "w", "bias": "b"})
        self.assertEqual(names, ["w"])
        found = safetensors.read(self.folder / "c").tensors
        p = model(inputs).detach().softmax(-1)
        self.assertTrue(torch.allclose(found["w.H"], inputs.T @ inputs / len(inputs), rtol=1e-3, atol=1e-3))
        # Drawn from the model, the gradient's second moment is the distribution's covariance.
        expected = (torch.diag_embed(p) - p[:, :, None] * p[:, None, :]).mean(0)
        self.assertTrue(torch.allclose(found["w.G"], expected, atol=0.01))

    def test_importance_is_the_diagonal(self):
        torch.manual_seed(5)
        model = nn.Linear(4, 3)
        batches = list(torch.randn(6000, 8, 4))
        mv.curvature(model, batches, self.folder / "c", importance=self.folder / "i")
        found = safetensors.read(self.folder / "i").tensors
        x = torch.cat(batches)
        p = model(x).detach().softmax(-1)
        expected = ((p * (1 - p)).T @ x.square()) / len(x)
        self.assertTrue(torch.allclose(found["weight"], expected, rtol=0.1))

    def test_fit_takes_the_files(self):
        model = toy.make_toy()
        def state(of):
            # `fit` takes floats only.
            return {k: v for k, v in of.state_dict().items() if k not in ("head.weight", "norm.num_batches_tracked")}
        safetensors.write(self.folder / "base.safetensors", state(model))
        for i in range(2):
            teacher = toy.make_teacher(model, seed=i)
            safetensors.write(self.folder / f"v{i}.safetensors", state(teacher))
        mv.curvature(model, [x for x, _ in toy.make_batches(40)], self.folder / "c", importance=self.folder / "i",
                     base=self.folder / "base.safetensors")
        report = toy.mvault("fit", "--base", self.folder / "base.safetensors", "--variant",
                            f"a={self.folder / 'v0.safetensors'}", "--variant", f"b={self.folder / 'v1.safetensors'}",
                            "--curvature", self.folder / "c", "--importance", self.folder / "i", "--budget", "8KB",
                            "-o", self.folder / "x.mvlt")
        metrics = {t["name"]: t["metric"] for t in report["tensors"]}
        for name in ("embed.weight", "hidden.weight", "mix.weight", "image.weight"):
            self.assertEqual(metrics[name], "kronecker", name)

    def test_names_are_the_file_s(self):
        model = toy.make_toy()
        inputs = [toy.make_batches(1)[0][0]]
        own = {"head.weight", "embed.weight", "mix.weight", "image.weight", "hidden.weight", "down.weight"}
        self.assertEqual(set(mv.curvature(model, inputs, self.folder / "c", importance=self.folder / "i")), own)
        self.assertEqual(set(safetensors.read(self.folder / "i").tensors),
                         {key for key, _ in model.state_dict().items() if "running" not in key and "num_" not in key})
        short = {key.replace(".weight", ""): tensor for key, tensor in model.state_dict().items()}
        # Of a tied weight a file may have either name, or both.
        for stored in ({"embed"}, {"head"}, {"embed", "head"}):
            safetensors.write(self.folder / "b", {key: tensor for key, tensor in short.items()
                                                  if key not in {"embed", "head"} - stored})
            self.assertEqual(set(mv.curvature(model, inputs, self.folder / "c", base=self.folder / "b")),
                             {"mix", "image", "hidden", "down"} | stored)
        del short["norm.bias"]
        safetensors.write(self.folder / "b", short)
        with self.assertRaisesRegex(mv.AttachError, "no tensor for the model's 'norm.bias'"):
            mv.curvature(model, inputs, self.folder / "c", base=self.folder / "b")

    def test_two_layers_with_one_weight_count_together(self):
        torch.manual_seed(5)
        first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        second.weight = first.weight
        x = torch.randn(50, 4)
        mv.curvature(nn.Sequential(first, second), [x], self.folder / "c", names={"0.weight": "w", "1.weight": "w"})
        y = first(x).detach()
        self.assertTrue(torch.allclose(safetensors.read(self.folder / "c").tensors["w.H"], (x.T @ x + y.T @ y) / 50,
                                       atol=1e-4))

    def test_patches_of_convolutions(self):
        torch.manual_seed(5)
        for kind, size, options in ((nn.Conv1d, (3, 11), {}), (nn.Conv1d, (3, 11), {"padding": "same", "dilation": 3}),
                                    (nn.Conv1d, (3, 11), {"padding": 2, "stride": 2}),
                                    (nn.Conv2d, (3, 11, 9), {"padding": (1, 2), "dilation": (1, 2)}),
                                    (nn.Conv2d, (3, 11, 9), {"padding": "valid"}),
                                    (nn.Conv2d, (3, 11, 9), {"padding": "same", "padding_mode": "circular"}),
                                    (nn.Conv2d, (3, 11, 9), {"padding": (2, 1), "padding_mode": "reflect"})):
            with self.subTest(kind=kind.__name__, **options):
                layer = kind(3, 5, 4 if options.get("padding") == "same" else 3, bias=False, **options)
                x = torch.randn(2, *size)
                with warnings.catch_warnings():
                    # An even kernel pads one side more, which torch calls slow.
                    warnings.simplefilter("ignore")
                    output = layer(x).flatten(2).transpose(1, 2)
                found = layer_moments._patches(layer, x) @ layer.weight.flatten(1).T  # pylint: disable=protected-access
                self.assertTrue(torch.allclose(found, output, atol=1e-5))

    def test_gradients_of_a_convolution(self):
        # Over a whole line, a convolution is a linear layer.
        torch.manual_seed(5)
        x = torch.randn(30, 2, 5)
        layer = nn.Conv1d(2, 3, 5)
        linear = nn.Linear(10, 3)
        with torch.no_grad():
            linear.weight.copy_(layer.weight.flatten(1))
            linear.bias.copy_(layer.bias)
        mv.curvature(nn.Sequential(layer, nn.Flatten()), [x], self.folder / "c", names={"0.weight": "w"})
        mv.curvature(nn.Sequential(nn.Flatten(), linear), [x], self.folder / "l", names={"1.weight": "w"})
        ours, theirs = (safetensors.read(self.folder / name).tensors for name in "cl")
        for name in ("w.H", "w.G"):
            self.assertTrue(torch.allclose(ours[name], theirs[name], atol=1e-5), name)

    def test_gradients_at_each_place(self):
        # A convolution of width 1 is the same linear layer everywhere.
        class Places(nn.Module):
            """The layer for each place, channels last."""

            def __init__(self, layer):
                super().__init__()
                self.layer = layer

            def forward(self, x):
                return self.layer(x).transpose(1, 2) if isinstance(self.layer, nn.Conv1d) else self.layer(x.transpose(1, 2))
        torch.manual_seed(5)
        x, layer, linear = torch.randn(6, 4, 7), nn.Conv1d(4, 3, 1), nn.Linear(4, 3)
        linear.load_state_dict({"weight": layer.weight[:, :, 0], "bias": layer.bias})
        found = []
        for kind in (layer, linear):
            mv.curvature(Places(kind), [x], self.folder / "c")
            found.append(safetensors.read(self.folder / "c").tensors)
        for name in ("layer.weight.H", "layer.weight.G"):
            self.assertTrue(torch.allclose(found[0][name], found[1][name], atol=1e-5), name)

    def test_the_model_is_not_changed(self):
        model = toy.make_toy().train()
        model.norm.eval()
        model.hidden.weight.requires_grad_(False)
        names = mv.curvature(model, [toy.make_batches(1)[0][0]], self.folder / "c")
        self.assertIn("hidden.weight", names)
        self.assertEqual((model.training, model.mix.training, model.norm.training), (True, True, False))
        self.assertFalse(model.hidden.weight.requires_grad)
        self.assertTrue(model.down.weight.requires_grad)
        mv.attach(model)
        with self.assertRaisesRegex(mv.AttachError, "call it before attach"):
            mv.curvature(model, [], self.folder / "c")

    def test_what_has_no_factors_is_told(self):
        model = nn.Sequential(nn.Conv1d(4, 4, 3, groups=2), nn.Flatten(), nn.Linear(12, 3))
        with self.assertWarnsRegex(UserWarning, "no factors for 0.weight: of linear layers and ungrouped"):
            names = mv.curvature(model, [torch.randn(5, 4, 5)], self.folder / "c")
        self.assertEqual(names, ["2.weight"])


if __name__ == "__main__":
    unittest.main()

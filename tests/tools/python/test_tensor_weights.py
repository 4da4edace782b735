"""Weights for `mvault fit --tensor-weights`."""

import math
import unittest

import toy
import torch
from torch import nn
from torch.nn import functional

import modelvault as mv
from modelvault.training import safetensors


class Two(nn.Module):
    """The second layer's output does not depend on what the first one gets wrong in its last row."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 5, bias=False)
        self.b = nn.Linear(5, 4)
        with torch.no_grad():
            self.b.weight[:, -1] = 0

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


def divergence(model, other, inputs):
    p, q = (m(inputs).detach().double().flatten(0, -2).log_softmax(-1) for m in (model, other))
    return float(functional.kl_div(q, p, reduction="batchmean", log_target=True))


def form(error, g, h, damping=0.1):
    g, h = (f.double() + damping * f.double().diagonal().mean() * torch.eye(len(f)) for f in (g, h))
    return 0.5 * float(torch.trace(g @ error.double() @ h @ error.double().T))


class TensorWeightsTest(toy.FolderTest):
    def setUp(self):
        super().setUp()
        torch.manual_seed(4)
        self.inputs = torch.randn(200, 6)

    def write(self, name, tensors):
        safetensors.write(self.folder / name, tensors)
        return self.folder / name

    def make_variant(self, name, amount=0.2):
        """A fine-tune, a file it is said to be restored from, and text."""
        model = Two()
        state = {key: tensor + amount * torch.randn_like(tensor) for key, tensor in model.state_dict().items()}
        return model, self.write(name, state), [self.inputs[:120], (self.inputs[120:], None)]

    def write_curvature(self, model):
        mv.curvature(model, [self.inputs], self.folder / "c", importance=self.folder / "i")
        return self.folder / "c"

    def test_the_formula(self):
        variants = [self.make_variant("r0"), self.make_variant("r1", 0.4)]
        c = self.write_curvature(variants[0][0])
        found = mv.tensor_weights(variants, c, limit=100)
        factors = safetensors.read(c).tensors
        ratios = {}
        for name in ("a.weight", "b.weight"):
            true = twice = 0.0
            for model, restored, _ in variants:
                state = safetensors.read(restored).tensors
                error = state[name] - model.state_dict()[name]
                at = []
                for size in (0.999, 1.001):
                    other = Two().double()
                    other.load_state_dict({**state, name: model.state_dict()[name].double() + size * error.double()})
                    at.append(divergence(model.double(), other, self.inputs.double()))
                    model.float()
                true += (at[1] - at[0]) / 0.002
                twice += 2 * form(error, factors[name + ".G"], factors[name + ".H"])
            ratios[name] = true / twice
        mean = math.exp((30 * math.log(ratios["a.weight"]) + 20 * math.log(ratios["b.weight"])) / 50)
        self.assertEqual(set(found), set(ratios))
        for name, ratio in ratios.items():
            self.assertAlmostEqual(found[name], ratio / mean, delta=1e-3 * found[name])

    def test_a_tensor_without_factors_goes_by_importance(self):
        variant = self.make_variant("r")
        self.write_curvature(variant[0])
        factors = safetensors.read(self.folder / "c").tensors
        c = self.write("c2", {name: f for name, f in factors.items() if name.startswith("b.")})
        only = mv.tensor_weights([variant], c)
        self.assertEqual(set(only), set())  # b alone has the mean.
        diagonal = torch.outer(factors["a.weight.G"].diagonal(), factors["a.weight.H"].diagonal())
        i = self.write("i2", {"a.weight": diagonal})
        both = mv.tensor_weights([variant], c, importance=i, damping=0, limit=100)
        # A diagonal is what factors without their other entries are.
        c = self.write("c3", {**factors, "a.weight.G": torch.diag(factors["a.weight.G"].diagonal()),
                              "a.weight.H": torch.diag(factors["a.weight.H"].diagonal())})
        again = mv.tensor_weights([variant], c, damping=0, limit=100)
        for name, x in both.items():
            self.assertAlmostEqual(x, again[name], places=5)

    def test_importance_alone_is_enough(self):
        variant = self.make_variant("r")
        self.write_curvature(variant[0])
        factors = safetensors.read(self.folder / "c").tensors
        i = self.write("i2", {n: torch.outer(factors[n + ".G"].diagonal(), factors[n + ".H"].diagonal())
                              for n in ("a.weight", "b.weight")})
        c = self.write("c2", {name: torch.diag(f.diagonal()) for name, f in factors.items() if name[-2:] in (".G", ".H")})
        of_importance = mv.tensor_weights([variant], None, importance=i, damping=0)
        self.assertEqual(set(of_importance), {"a.weight", "b.weight"})
        for name, x in mv.tensor_weights([variant], c, damping=0).items():
            self.assertAlmostEqual(x, of_importance[name], places=5)

    def test_places_without_a_target_do_not_count(self):
        model, restored, _ = self.make_variant("r")
        c = self.write_curvature(model)
        targets = torch.zeros(200, dtype=torch.int64)
        targets[80:] = -100
        padded = mv.tensor_weights([(model, restored, [(self.inputs, targets)])], c)
        short = mv.tensor_weights([(model, restored, [self.inputs[:80]])], c)
        whole = mv.tensor_weights([(model, restored, [self.inputs])], c)
        for name, x in padded.items():
            self.assertAlmostEqual(x, short[name], places=5)
            self.assertNotAlmostEqual(x, whole[name], places=3)
        with self.assertRaisesRegex(mv.AttachError, "for targets"):
            mv.tensor_weights([(model, restored, [(self.inputs, targets[:5])])], c)

    def test_models_that_cannot_be_measured(self):
        model, restored, batches = self.make_variant("r")
        c = self.write_curvature(model)
        with self.assertRaisesRegex(mv.AttachError, "float16"):
            mv.tensor_weights([(model.half(), restored, batches)], c)
        model.float()

        self.inputs[3] = math.nan
        with self.assertRaisesRegex(mv.AttachError, "'a.weight'.*not finite"):
            mv.tensor_weights([(model, restored, batches)], c)

    def test_a_class_that_is_masked_out_changes_nothing(self):
        class Masked(Two):
            def __init__(self, value):
                super().__init__()
                self.value = value

            def forward(self, x):
                return super().forward(x).masked_fill(torch.tensor([False, False, False, True]), self.value)

        model, restored, batches = self.make_variant("r")
        c = self.write_curvature(model)
        found = []
        for value in (-1e4, -math.inf):
            masked = Masked(value)
            masked.load_state_dict(model.state_dict())
            found.append(mv.tensor_weights([(masked, restored, batches)], c))
        self.assertEqual(*found)

    def test_a_tensor_with_two_names_is_paid_for_twice(self):
        class Tied(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.c = (nn.Linear(6, 6, bias=False) for _ in range(3))
                self.b.weight = self.a.weight

            def forward(self, x):
                return self.c(torch.tanh(self.b(torch.tanh(self.a(x)))))

        model = Tied()
        error = {name: 0.1 * torch.randn(6, 6) for name in "ac"}
        restored = {f"{name}.weight": getattr(model, name).weight.detach() + error[name] for name in "ac"}
        c = self.write("c", {f"{name}.weight.{factor}": torch.eye(6) for name in "abc" for factor in "GH"})
        once = mv.tensor_weights([(model, self.write("r1", restored), [self.inputs])], c, limit=1e6)
        restored["b.weight"] = restored["a.weight"]
        twice = mv.tensor_weights([(model, self.write("r2", restored), [self.inputs])], c, limit=1e6)
        self.assertEqual(twice["a.weight"], twice["b.weight"])
        self.assertAlmostEqual(twice["a.weight"] / twice["c.weight"], 0.5 * once["a.weight"] / once["c.weight"], places=5)
        restored["b.weight"] = restored["b.weight"] + 1
        with self.assertRaisesRegex(mv.AttachError, "'a.weight' and 'b.weight' differ"):
            mv.tensor_weights([(model, self.write("r3", restored), [self.inputs])], c)

    def test_importance_of_another_shape(self):
        variant = self.make_variant("r")
        i = self.write("i2", {"a.weight": torch.ones(6, 5)})
        with self.assertRaisesRegex(mv.ModelFileError, "importance of 'a.weight'"):
            mv.tensor_weights([variant], None, importance=i)

    def test_the_file_is_what_fit_reads(self):
        mv.write_tensor_weights({"a.weight": 1.23456, "b": 0.5}, self.folder / "w.txt")
        self.assertEqual((self.folder / "w.txt").read_text(), "a.weight=1.23\nb=0.5\n")

    def test_weights_are_kept_within_the_limit(self):
        variant = self.make_variant("r")
        c = self.write_curvature(variant[0])
        factors = safetensors.read(c).tensors
        c = self.write("c2", {**factors, "a.weight.G": 1e-4 * factors["a.weight.G"]})
        found = mv.tensor_weights([variant], c, limit=3)
        self.assertEqual(found, {"a.weight": 3, "b.weight": 1 / 3})

    def test_an_error_that_helps_gets_the_least_weight(self):
        model = Two()
        bad = {key: tensor + 0.5 * torch.randn_like(tensor) for key, tensor in model.state_dict().items()}
        # Errors of `a` that undo part of what b's do: down the gradient.
        other = Two()
        other.load_state_dict(bad)
        other.a.weight.data.copy_(model.a.weight.data)
        p = model(self.inputs).detach().log_softmax(-1)
        functional.kl_div(other(self.inputs).log_softmax(-1), p, reduction="batchmean", log_target=True).backward()
        bad["a.weight"] = model.a.weight.detach() - 0.1 * other.a.weight.grad
        c = self.write_curvature(model)
        found = mv.tensor_weights([(model, self.write("r", bad), [self.inputs])], c)
        self.assertEqual(found, {"a.weight": 0.25})

    def test_fit_takes_names_and_gives_each_tensor_its_weight(self):
        # 'w' is in 'w2' and in 'w.bias', and factors multiply.
        class Nested(nn.Module):
            """Names that have each other's in them."""

            def __init__(self):
                super().__init__()
                self.w, self.w2 = nn.Linear(6, 5), nn.Linear(5, 4)

            def forward(self, x):
                return self.w2(torch.tanh(self.w(x)))
        torch.manual_seed(4)
        model = Nested()
        names = {"w.weight": "w", "w2.weight": "w2", "w.bias": "w.bias", "w2.bias": "w2.bias"}
        state = {names[key]: tensor for key, tensor in model.state_dict().items()}
        base = self.write("base", {name: tensor + 0.3 * torch.randn_like(tensor) for name, tensor in state.items()})
        mv.curvature(model, [self.inputs], self.folder / "c", importance=self.folder / "i", names=names)
        found = mv.tensor_weights([(model, base, [self.inputs])], self.folder / "c", importance=self.folder / "i",
                                  names=names)
        self.assertEqual(list(found), ["w", "w2", "w.bias", "w2.bias"])

        def weight(name):
            return math.prod(x for text, x in found.items() if text in name)
        self.assertAlmostEqual(weight("w") ** 30 * weight("w2") ** 20, 1)
        self.assertNotAlmostEqual(weight("w"), 1, places=2)
        self.assertAlmostEqual(weight("w.bias"), 1)
        self.assertAlmostEqual(weight("w2.bias"), 1)
        variant = self.write("v", state)
        options = [text for name, x in found.items() for text in ("--tensor-weight", f"{name}={x}")]
        toy.mvault("fit", "--base", base, "--variant", f"a={variant}", "--variant", f"b={base}", "--curvature",
                   self.folder / "c", "--importance", self.folder / "i", "--budget", "8KB", "-o", self.folder / "x.mvlt",
                   *options)

    def test_every_kind_of_layer(self):
        model = toy.make_toy().train()
        model.hidden.weight.requires_grad_(False)
        before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
        teacher = toy.make_teacher(model)
        own = {key: tensor for key, tensor in teacher.state_dict().items() if key != "head.weight"}
        mv.BaseModel.from_floats(own, {}, "the toy").save(self.folder / "r")
        batches = toy.make_batches()
        mv.curvature(model, [x for x, _ in batches], self.folder / "c", importance=self.folder / "i",
                     base=self.folder / "r")
        found = mv.tensor_weights([(model, self.folder / "r", batches)], self.folder / "c",
                                  importance=self.folder / "i")
        self.assertEqual({"embed.weight", "mix.weight", "image.weight", "hidden.weight", "down.weight"}, set(found))
        for key, tensor in model.state_dict().items():
            self.assertTrue(torch.equal(tensor, before[key]), key)
        self.assertTrue(model.training)
        self.assertFalse(model.hidden.weight.requires_grad)
        self.assertIsNone(model.down.weight.grad)
        self.assertEqual(found, mv.tensor_weights(iter([(model, self.folder / "r", batches)]), self.folder / "c",
                                                  importance=self.folder / "i"))

    def test_refusals(self):
        model, restored, batches = self.make_variant("r")
        c = self.write_curvature(model)
        with self.assertRaisesRegex(mv.AttachError, "at least one variant"):
            mv.tensor_weights([], c)
        with self.assertRaisesRegex(mv.AttachError, "at least one batch"):
            mv.tensor_weights([(model, restored, [])], c)
        state = safetensors.read(restored).tensors
        same = self.write("same", dict(model.state_dict()))
        with self.assertRaisesRegex(mv.AttachError, "no tensor's error costs anything"):
            mv.tensor_weights([(model, same, batches)], c)
        with self.assertRaisesRegex(mv.AttachError, "no tensor for the model's 'b.bias'"):
            mv.tensor_weights([(model, self.write("x", {k: t for k, t in state.items() if k != "b.bias"}), batches)], c)
        with self.assertRaisesRegex(mv.AttachError, r"'b.bias' is \[3\], the model's 'b.bias' is \[4\]"):
            mv.tensor_weights([(model, self.write("x", {**state, "b.bias": torch.zeros(3)}), batches)], c)
        factors = safetensors.read(c).tensors
        with self.assertRaisesRegex(mv.ModelFileError, "'a.weight' is for 4 x 6 weights, the model has 5 x 6"):
            mv.tensor_weights([(model, restored, batches)],
                              self.write("x", {**factors, "a.weight.G": torch.eye(4)}))
        mv.attach(model)
        with self.assertRaisesRegex(mv.AttachError, "this model has parametrisations"):
            mv.tensor_weights([(model, restored, batches)], c)


if __name__ == "__main__":
    unittest.main()

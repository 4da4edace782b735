"""Errors that say what and where, and what attaching does."""

import unittest

import toy
import torch
from torch import nn

import modelvault as mv
from modelvault.training import safetensors
from modelvault.training.priors import Prior


class AttachTest(toy.FolderTest):
    def base_file(self, **changes):
        tensors = dict(toy.make_toy().state_dict())
        del tensors["head.weight"]
        tensors.update(changes)
        safetensors.write(self.folder / "base.safetensors", {k: v for k, v in tensors.items() if v is not None})
        return self.folder / "base.safetensors"

    def fails(self, pattern, model, *arguments, error=mv.AttachError, **options):
        with self.assertRaisesRegex(error, pattern):
            mv.attach(model, *arguments, **options)

    def test_starts_as_the_base(self):
        model = toy.make_teacher(toy.make_toy())
        plan = mv.attach(model, self.base_file())
        for name in ("embed.weight", "hidden.weight"):
            module = getattr(model, name.split(".", maxsplit=1)[0])
            self.assertTrue(torch.equal(module.weight, plan.base.value(name)), name)
        self.assertTrue(torch.equal(model.norm.bias, plan.base.value("norm.bias")))

    def test_starts_as_the_model(self):
        base = self.base_file()
        model = toy.make_teacher(toy.make_toy())
        weight = model.hidden.weight.detach().clone()
        plan = mv.attach(model, base, start="model")
        reference = plan.base.value("hidden.weight")
        change, rounded = weight - reference, model.hidden.weight.detach() - reference
        self.assertTrue(bool((rounded != 0).any()))
        self.assertTrue(bool((rounded * change >= 0).all()))

    def test_buffers_start_as_the_base(self):
        base = self.base_file()
        model = toy.make_toy(seed=5)
        plan = mv.attach(model, base)
        self.assertTrue(torch.equal(model.norm.running_mean, plan.base.tensors["norm.running_mean"]))

    def test_a_model_on_another_device(self):
        # "meta" stands for any that is not the CPU; it has shapes only.
        safetensors.write(self.folder / "b", {"weight": torch.randn(4, 3)})
        for start in ("base", "model"):
            model = nn.Linear(3, 4, bias=False, device="meta")
            mv.attach(model, self.folder / "b", start=start)
            self.assertEqual(model.weight.device.type, "meta")
            self.assertEqual({p.device.type for p in model.parameters()}, {"meta"})

    def test_frozen_parameters_stay_the_base(self):
        model = toy.make_toy()
        model.hidden.weight.requires_grad_(False)
        plan = mv.attach(model, self.base_file(), 450)
        mv.distill(model, toy.make_teacher(toy.make_toy()), toy.make_batches(), 16)
        self.assertTrue(torch.equal(model.hidden.weight, plan.base.value("hidden.weight")))
        self.assertFalse(torch.equal(model.down.weight, plan.base.value("down.weight")))
        self.fails("no weight with two or more dimensions is left to train", toy.make_toy().requires_grad_(False))

    def test_tied_weights_stay_tied(self):
        model = toy.make_toy()
        plan = mv.attach(model)
        self.assertIs(model.head.parametrizations.weight.original, model.embed.parametrizations.weight.original)
        self.assertEqual(sum(t.weight.name.startswith(("embed", "head")) for t in plan.ternaries), 1)
        with torch.no_grad():
            plan.ternaries[0].latent.fill_(1.0)
        self.assertTrue(torch.equal(model.head.weight, model.embed.weight))
        self.assertFalse(torch.equal(model.head.weight, plan.base.value("embed.weight")))

    def test_tied_weights_start_as_the_model(self):
        base = self.base_file()
        tied, single = toy.make_teacher(toy.make_toy()), toy.make_teacher(toy.make_toy())
        del single.head
        mv.attach(tied, base, start="model")
        mv.attach(single, base, start="model")
        self.assertTrue(torch.equal(tied.embed.weight, single.embed.weight))

    def test_gradients_are_straight_through(self):
        model = nn.Linear(3, 2, bias=False)
        with torch.no_grad():
            model.weight.copy_(torch.tensor([[127.0, 10, 20], [127, 0, 64]]))
        plan = mv.attach(model, None, grid_factor=1.0, first_scale=0.1)
        latent, scale = plan.ternaries[0].latent, plan.ternaries[0].weight.scale
        with torch.no_grad():
            latent.copy_(torch.tensor([[0.0, 0.9, -0.7], [0.3, 0.0, 0.6]]))
        (model.weight * torch.tensor([[1.0, 2, 3], [4, 5, 6]])).sum().backward()
        step = plan.base.steps["weight"]
        first = plan.ternaries[0].weight.first_scale
        whole = float((scale.detach() * first).round())
        self.assertTrue(torch.allclose(latent.grad, torch.tensor([[1.0, 2, 3], [4, 5, 6]]) * step[:, None] * whole))
        self.assertAlmostEqual(float(scale.grad), first * float((2 - 3) * step[0] + 6 * step[1]), places=3)

    def test_file_names_may_differ(self):
        tensors = {key.replace("hidden", "middle"): value for key, value in toy.make_toy().state_dict().items()}
        safetensors.write(self.folder / "other.safetensors", tensors)
        self.fails(r"other.safetensors: no tensor for the model's 'hidden.weight' and 1 of its other 11 tensors "
                   r"\(looked for 'hidden.weight' and 'hidden'\); names= can tell", toy.make_toy(),
                   self.folder / "other.safetensors")
        mv.attach(toy.make_toy(), self.folder / "other.safetensors", names=lambda k: k.replace("hidden", "middle"))
        mv.attach(toy.make_toy(), self.folder / "other.safetensors",
                  names={"hidden.weight": "middle.weight", "hidden.bias": "middle.bias"})

    def test_a_failure_leaves_the_model_as_it_was(self):
        model = toy.make_toy()
        before = {k: v.clone() for k, v in model.state_dict().items()}
        self.fails("'down.bias' is .*20.*, but 'down.bias' of .*base.safetensors is .*19", model,
                   self.base_file(**{"down.bias": torch.ones(19)}))
        after = model.state_dict()
        self.assertEqual(list(before), list(after))
        self.assertTrue(all(torch.equal(before[k], after[k]) for k in before))
        self.fails("the priors have 3 row classes for 'hidden.weight', expected 51", model, self.base_file(),
                   priors=mv.Priors({"hidden.weight": Prior(20, torch.zeros(3, dtype=torch.int64))}))
        self.fails("the priors have 'other', which is no INT8 tensor of the base", model, self.base_file(),
                   priors=mv.Priors({"other": Prior(20)}))
        self.assertEqual(list(before), list(model.state_dict()))
        mv.attach(model, self.base_file())

    def test_bad_arguments(self):
        for pattern, options in (("start is 'zero'; expected one of base, model", {"start": "zero"}),
                                 ("scales is 'row'", {"scales": "row"}), ("price is ''", {"price": ""}),
                                 ("budget_bytes must be positive", {"budget_bytes": 0}),
                                 ("first_scale is a share", {"first_scale": 3}),
                                 ("skip names no parameter of the model: nope", {"skip": ["nope"]})):
            with self.subTest(pattern):
                self.fails(pattern, toy.make_toy(), **options)

    def test_bad_models(self):
        self.fails("'weight_ih_l0': LSTM keeps its weights where", nn.LSTM(3, 4))
        self.fails("'weight' is torch.float64; training is in float32", nn.Linear(3, 4).double())
        self.fails("no parameters", nn.ReLU())
        self.fails("'weight': its gradients are sparse", nn.Embedding(3, 4, sparse=True))
        self.fails("'1': the module has a parametrisation already", nn.Sequential(
            nn.Linear(3, 4), nn.utils.parametrizations.orthogonal(nn.Linear(4, 4, bias=False))))
        model = toy.make_toy()
        mv.attach(model)
        self.fails("has a plan already", model)
        with self.assertRaisesRegex(mv.AttachError, "no plan: attach"):
            mv.export(toy.make_toy(), self.folder / "x")

    def test_bad_bases(self):
        good = {"weight": torch.ones(4, 3, dtype=torch.int8), "weight.scale": torch.ones(4), "bias": torch.ones(4)}
        for pattern, changes, error in (
                ("'weight.scale' has 3 values of torch.float32; expected F32, one for each of the 4 rows",
                 {"weight.scale": torch.ones(3)}, mv.ModelFileError),
                ("a step that is not positive", {"weight.scale": torch.tensor([1.0, 1, 0, 1])}, mv.ModelFileError),
                ("'weight' of .*b.safetensors is torch.int8; expected INT8 with 'weight.scale'",
                 {"weight.scale": None}, mv.AttachError),
                ("'bias' of .* is torch.float16; expected F32", {"bias": torch.ones(4).half()}, mv.AttachError)):
            with self.subTest(pattern):
                tensors = {k: v for k, v in {**good, **changes}.items() if v is not None}
                safetensors.write(self.folder / "b.safetensors", tensors)
                self.fails(pattern, nn.Linear(3, 4), self.folder / "b.safetensors", error=error)
        self.fails("tensor 'hidden.weight' has values that are not finite", toy.make_toy(),
                   self.base_file(**{"hidden.weight": torch.full((51, 69), float("nan"))}), error=mv.ModelFileError)
        self.fails("'embed.weight' and 'head.weight' of .* differ, but are one tensor, 'embed.weight'", toy.make_toy(),
                   self.base_file(**{"head.weight": torch.ones(37, 20)}))
        self.fails(r"'norm.running_var' is \[23\], but .* is \[22\]", toy.make_toy(),
                   self.base_file(**{"norm.running_var": torch.ones(22)}))


if __name__ == "__main__":
    unittest.main()

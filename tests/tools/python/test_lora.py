"""Adapters are added at the strength that they were trained at, or not at all."""

import json
import math
import unittest

import toy
import torch
from torch import nn

import modelvault as mv
from modelvault.training import safetensors


class LoraTest(toy.FolderTest):
    def test_adds_the_product(self):
        model = toy.make_toy()
        before = model.hidden.weight.detach().clone()
        a, b = torch.randn(2, 69), torch.randn(51, 2)
        safetensors.write(self.folder / "l", {"base_model.model.hidden.lora_A.weight": a,
                                              "base_model.model.hidden.lora_B.weight": b})
        self.assertEqual(mv.apply_lora(model, self.folder / "l", alpha=8), ["hidden.weight"])
        self.assertTrue(torch.allclose(model.hidden.weight, before + 4 * b @ a, atol=1e-5))

    def test_weights_that_are_in_by_out(self):
        class Conv1D(nn.Module):
            """As GPT-2 has it."""

            def __init__(self, size_in, size_out):
                super().__init__()
                self.weight = nn.Parameter(torch.zeros(size_in, size_out))
        a, b = torch.randn(2, 5), torch.randn(7, 2)
        square = {"lora_A": torch.randn(2, 5), "lora_B": torch.randn(5, 2)}
        model = nn.ModuleDict({"oblong": Conv1D(5, 7), "square": Conv1D(5, 5), "linear": nn.Linear(5, 5)})
        before = model["linear"].weight.detach().clone()
        mv.apply_lora(model, {"oblong.lora_A": a, "oblong.lora_B": b}, alpha=2)
        self.assertTrue(torch.allclose(model["oblong"].weight, (b @ a).T, atol=1e-5))
        of_square = {f"square.{k}": v for k, v in square.items()}
        with self.assertRaisesRegex(mv.AttachError, "'square' is square and not of a layer of torch: fan_in_fan_out="):
            mv.apply_lora(model, of_square, alpha=2)
        mv.apply_lora(model, {**of_square, **{f"linear.{k}": v for k, v in square.items()}}, alpha=2, fan_in_fan_out=True)
        product = square["lora_B"] @ square["lora_A"]
        self.assertTrue(torch.allclose(model["square"].weight, product.T, atol=1e-5))
        self.assertTrue(torch.allclose(model["linear"].weight, before + product, atol=1e-5))

    def test_as_the_teacher_and_as_the_start(self):
        torch.manual_seed(6)
        adapter = {"hidden.lora_A.weight": torch.randn(2, 69), "hidden.lora_B.weight": 0.3 * torch.randn(51, 2)}
        safetensors.write(self.folder / "l", adapter)
        safetensors.write(self.folder / "base", {k: v for k, v in toy.make_toy().state_dict().items()
                                                 if k != "head.weight"})
        teacher = toy.make_toy()
        mv.apply_lora(teacher, self.folder / "l", alpha=2)

        def distance(path):
            # What is exported, against the teacher on text that nobody has seen.
            model = toy.make_toy()
            loaded = mv.load(path)
            model.load_state_dict({**loaded, "head.weight": loaded["embed.weight"]})
            tokens = toy.make_batches(8, seed=11)
            with torch.no_grad():
                return sum(float((model(x) - teacher(x)).square().mean()) for x, _ in tokens)
        plan = mv.attach(toy.make_toy(), self.folder / "base", 900)
        plan.base.save(self.folder / "int8")
        of_base = distance(self.folder / "int8")
        for start in ("base", "model"):
            model = toy.make_toy()
            if start == "model":
                mv.apply_lora(model, self.folder / "l", alpha=2)
            mv.attach(model, self.folder / "int8", 900, start=start)
            mv.distill(model, teacher, toy.make_batches(), 48, kl=1.0)
            mv.export(model, self.folder / start)
            self.assertLess(distance(self.folder / start), 0.8 * of_base, start)

    def test_wrong_arguments(self):
        a, b = torch.randn(2, 69), torch.randn(51, 2)
        for pattern, tensors in (("'other' is no weight", {"other.lora_A": a, "other.lora_B": b}),
                                 ("several adapters, one, two; give one", {"hidden.lora_A.one.weight": a,
                                                                           "hidden.lora_B.two.weight": b}),
                                 ("'hidden.lora_B.bias' is neither", {"hidden.lora_A": a, "hidden.lora_B.bias": b}),
                                 ("'x.hada_w1_a' is neither a lora_A nor a lora_B, and there is no configuration",
                                  {"x.hada_w1_a": a}),
                                 ("'x' has an alpha only", {"x.alpha": torch.tensor(2.0)}),
                                 ("'hidden' has lora_A only", {"hidden.lora_A": a}),
                                 ("neither a lora_A nor a lora_B", {"hidden.weight": a}),
                                 ("do not multiply", {"hidden.lora_A": a, "hidden.lora_B": a}),
                                 ("the weight", {"down.lora_A": a, "down.lora_B": b}), ("no tensors", {})):
            with self.subTest(pattern):
                with self.assertRaisesRegex(ValueError, pattern):
                    mv.apply_lora(toy.make_toy(), tensors, alpha=1)


def make_pair(rank, rows=51, columns=69):
    return torch.randn(rank, columns), torch.randn(rows, rank)


class ConfigTest(toy.FolderTest):
    """With adapter_config.json beside the adapter, or without."""

    def setUp(self):
        super().setUp()
        torch.manual_seed(7)
        self.adapter = self.folder / "adapter"
        self.adapter.mkdir()

    def write(self, tensors, **config):
        safetensors.write(self.adapter / "adapter_model.safetensors",
                          {f"base_model.model.{key}": tensor.contiguous() for key, tensor in tensors.items()})
        (self.adapter / "adapter_config.json").write_text(
            json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 8, **config}))

    def changes(self, **options):
        """What the adapter changes, by name."""
        model, before = toy.make_toy(), toy.make_toy().state_dict()
        names = mv.apply_lora(model, self.adapter, **options)
        moved = {key: tensor - before[key] for key, tensor in model.state_dict().items()
                 if not torch.equal(tensor, before[key])}
        self.assertEqual(set(names) | ({"head.weight"} & set(moved)), set(moved))
        return moved

    def check(self, found, expected):
        self.assertEqual(set(found), set(expected))
        for name, tensor in expected.items():
            self.assertTrue(torch.allclose(found[name], tensor, atol=1e-4), name)

    def test_the_scale_is_the_configuration_s(self):
        a, b = make_pair(4)
        tensors = {"hidden.lora_A.weight": a, "hidden.lora_B.weight": b}
        for scale, config in ((2, {}), (8 / math.sqrt(4), {"use_rslora": True}),
                              (3 / 4, {"alpha_pattern": {"hidden": 3}}),
                              (2, {"alpha_pattern": {"idden": 3, "down": 5}}), (5 / 4, {"alpha_pattern": {"h.*n": 5}})):
            with self.subTest(**config):
                self.write(tensors, **config)
                self.check(self.changes(), {"hidden.weight": scale * b @ a})
                self.assertEqual(len(self.changes(alpha=8)), 1)
        with self.assertRaisesRegex(mv.AttachError, "alpha is 16, but .*adapter_config.json has lora_alpha 8"):
            self.changes(alpha=16)
        model, before = toy.make_toy(), toy.make_toy().hidden.weight
        mv.apply_lora(model, tensors, config={"r": 4, "lora_alpha": 4})
        self.assertTrue(torch.allclose(model.hidden.weight, before + b @ a, atol=1e-4))

    def test_ranks_that_differ(self):
        a, b = make_pair(4)
        c, d = make_pair(2, 20, 51)
        tensors = {"hidden.lora_A.default.weight": a, "hidden.lora_B.default.weight": b, "down.lora_A.default.weight": c,
                   "down.lora_B.default.weight": d}
        self.write(tensors, rank_pattern={"down": 2})
        self.check(self.changes(), {"hidden.weight": 2 * b @ a, "down.weight": 4 * d @ c})
        self.write(tensors)
        with self.assertRaisesRegex(mv.ModelFileError, "'down' has rank 2, .*adapter_config.json says 4"):
            self.changes()
        with self.assertRaisesRegex(mv.AttachError, r"ranks differ \(2, 4\), and so may alphas: give config="):
            mv.apply_lora(toy.make_toy(), tensors, 8)

    def test_embeddings_and_modules_that_are_saved_in_full(self):
        a, b = torch.randn(4, 37), torch.randn(20, 4)
        tensors = {"embed.lora_embedding_A": a, "embed.lora_embedding_B": b, "down.weight": torch.randn(20, 51),
                   "out_norm.modules_to_save.default.weight": torch.randn(51),
                   "norm.modules_to_save.bias": torch.randn(23)}
        self.write(tensors, modules_to_save=["down", "out_norm", "norm"])
        before = toy.make_toy().state_dict()
        self.check(self.changes(), {
            "embed.weight": 2 * (b @ a).T, "head.weight": 2 * (b @ a).T,
            "down.weight": tensors["down.weight"] - before["down.weight"],
            "out_norm.weight": tensors["out_norm.modules_to_save.default.weight"] - before["out_norm.weight"],
            "norm.bias": tensors["norm.modules_to_save.bias"] - before["norm.bias"]})
        self.write(tensors, modules_to_save=["down", "out_norm"])
        with self.assertRaisesRegex(mv.ModelFileError, "'norm.bias' is neither a lora_A nor .*, nor in modules_to_save"):
            self.changes()
        self.write({"down.bias": torch.ones(20)}, bias="all")
        self.assertEqual(set(self.changes()), {"down.bias"})
        self.write({"down.weight": torch.ones(20)}, modules_to_save=["down"])
        with self.assertRaisesRegex(mv.AttachError, r"'down.weight' is \[20\], the model's \[20, 51\]"):
            self.changes()

    def test_an_alpha_of_each_pair(self):
        a, b = make_pair(4)
        for name in ("lora_unet_hidden", "lora_hidden", "hidden"):
            tensors = {f"{name}.lora_down.weight": a, f"{name}.lora_up.weight": b, f"{name}.alpha": torch.tensor(2.0)}
            model, before = toy.make_toy(), toy.make_toy().hidden.weight
            self.assertEqual(mv.apply_lora(model, tensors), ["hidden.weight"])
            self.assertTrue(torch.allclose(model.hidden.weight, before + 0.5 * b @ a, atol=1e-4))
            with self.assertRaisesRegex(mv.AttachError, "has an alpha of its own, 2, not 8: leave alpha= out"):
                mv.apply_lora(toy.make_toy(), tensors, 8)
            del tensors[f"{name}.alpha"]
            with self.assertRaisesRegex(mv.AttachError, "nothing tells the scale of .*: give config= or alpha="):
                mv.apply_lora(toy.make_toy(), tensors)
        two = nn.ModuleDict({"a": nn.ModuleDict({"b": nn.Linear(69, 51)}), "a_b": nn.Linear(69, 51)})
        with self.assertRaisesRegex(mv.AttachError, "'lora_a_b' may be a.b.weight or a_b.weight"):
            mv.apply_lora(two, {"lora_a_b.lora_down.weight": a, "lora_a_b.lora_up.weight": b}, 4)

    def test_adapters_that_are_no_sum_are_refused(self):
        a, b = make_pair(4)
        pair = {"hidden.lora_A.weight": a, "hidden.lora_B.weight": b}
        for pattern, config in (("DoRA rescales weights", {"use_dora": True}),
                                ("its peft_type is LOHA", {"peft_type": "LOHA"}),
                                ("init_lora_weights 'pissa_niter_4' changes the base's weights",
                                 {"init_lora_weights": "pissa_niter_4"}),
                                ("it repeats layers", {"layer_replication": [[0, 2]]}),
                                ("for some inputs only", {"alora_invocation_tokens": [1]}),
                                ("expected numbers lora_alpha and r, found None", {"lora_alpha": None})):
            with self.subTest(pattern):
                self.write(pair, **config)
                with self.assertRaisesRegex(mv.ModelFileError, f"adapter_config.json: .*{pattern}"):
                    self.changes()
        for name in ("lora_magnitude_vector.weight", "lora_magnitude_vector.default.weight", "dora_scale"):
            with self.assertRaisesRegex(mv.ModelFileError, "a DoRA adapter rescales weights and is no sum"):
                mv.apply_lora(toy.make_toy(), {**pair, f"hidden.{name}": torch.ones(51)}, 8)
        (self.adapter / "adapter_config.json").write_text("[]")
        with self.assertRaisesRegex(mv.ModelFileError, "not a JSON object"):
            self.changes()

    def test_a_refusal_changes_nothing(self):
        a, b = make_pair(4)
        self.write({"hidden.lora_A.weight": a, "hidden.lora_B.weight": b, "down.weight": torch.ones(3)},
                   modules_to_save=["down"])
        model = toy.make_toy()
        with self.assertRaises(mv.AttachError):
            mv.apply_lora(model, self.adapter)
        self.assertTrue(torch.equal(model.hidden.weight, toy.make_toy().hidden.weight))


if __name__ == "__main__":
    unittest.main()

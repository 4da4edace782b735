"""What is exported is what was trained, through the vault and back."""

import unittest

import toy
import torch
from torch import nn

import modelvault as mv
from modelvault.training import safetensors


def load_plain(path):
    """The file as a float model, by somebody who knows nothing of parametrisations."""
    model = toy.Toy().eval()
    tensors = safetensors.read(path).tensors
    state = {}
    for name, tensor in tensors.items():
        if name.endswith(".scale"):
            continue
        if tensor.dtype == torch.int8:
            step = tensors[name + ".scale"]
            tensor = tensor.float() * step.reshape([-1] + [1] * (tensor.dim() - 1))
        state[name] = tensor
    state["head.weight"] = state["embed.weight"]
    model.load_state_dict(state)
    return model


class ExportTest(toy.FolderTest):
    def train(self, **options):
        model = toy.make_toy()
        teacher = toy.make_teacher(model)
        plan = mv.attach(model, None, 420, **options)
        mv.distill(model, teacher, toy.make_batches(), 40)
        model.eval()
        return model, plan

    def check_bits(self, model, path):
        tokens = toy.make_batches(1, seed=9)[0][0]
        with torch.no_grad():
            self.assertTrue(torch.equal(model(tokens), load_plain(path)(tokens)))

    def test_logits_are_equal_bit_for_bit(self):
        for scales in ("tensor", "group", "fixed"):
            with self.subTest(scales):
                model, _ = self.train(scales=scales)
                mv.export(model, self.folder / "v.safetensors")
                self.check_bits(model, self.folder / "v.safetensors")

    def test_the_vault_gives_the_same_logits_back(self):
        model, plan = self.train()
        plan.base.save(self.folder / "base.safetensors")
        mv.export(model, self.folder / "v.safetensors")
        toy.pack(self.folder / "base.safetensors", {"v": self.folder / "v.safetensors"}, self.folder / "x.mvlt")
        toy.mvault("restore", self.folder / "x.mvlt", "v", "-o", self.folder / "back.safetensors")
        self.assertEqual((self.folder / "v.safetensors").read_bytes(),
                         (self.folder / "back.safetensors").read_bytes())
        self.check_bits(model, self.folder / "back.safetensors")

    def test_every_kind_of_weight_is_trained(self):
        model, plan = self.train()
        plan.base.save(self.folder / "base.safetensors")
        mv.export(model, self.folder / "v.safetensors")
        base = safetensors.read(self.folder / "base.safetensors").tensors
        variant = safetensors.read(self.folder / "v.safetensors").tensors
        self.assertEqual(list(base), list(variant))
        for name in ("embed.weight", "mix.weight", "hidden.weight", "down.weight"):
            self.assertFalse(torch.equal(base[name], variant[name]), name)
        moved = [name for name, t in base.items() if t.dtype == torch.float32 and not name.endswith(".scale")
                 and not torch.equal(t, variant[name])]
        self.assertTrue(moved)
        for name in base:
            if name.endswith(".scale"):
                self.assertTrue(torch.equal(base[name], variant[name]), name)

    def test_weights_are_the_base_plus_one_scale(self):
        model, plan = self.train(scales="group")
        mv.export(model, self.folder / "v.safetensors")
        variant = safetensors.read(self.folder / "v.safetensors").tensors
        for name in plan.base.weights:
            delta = (variant[name].int() - plan.base.tensors[name].int()).flatten()
            for group in delta.split(128):
                self.assertLessEqual(len(set(group[group != 0].abs().tolist())), 1, name)

    def check_changed_buffer(self, model, plan):
        with torch.no_grad():
            model.norm.running_mean[3] = 0.75
        plan.budget_bytes += 60
        mv.export(model, self.folder / "v.safetensors")
        self.check_bits(model, self.folder / "v.safetensors")

    def test_buffers_that_changed_are_exported(self):
        self.check_changed_buffer(*self.train())

    def test_buffers_of_a_model_that_moved_are_exported(self):
        model, plan = self.train()
        # As a move to a GPU does, this makes new buffers.
        model.double().float()
        self.check_changed_buffer(model, plan)

    def test_running_statistics_stay_the_base(self):
        model = toy.make_toy()
        plan = mv.attach(model, None, 420)
        model.train()
        mv.distill(model, toy.make_teacher(toy.make_toy()), toy.make_batches(), 40)
        mv.export(model, self.folder / "v.safetensors")
        variant = safetensors.read(self.folder / "v.safetensors").tensors
        for name in ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked"):
            self.assertTrue(torch.equal(variant[name], plan.base.tensors[name]), name)
        self.check_bits(model.eval(), self.folder / "v.safetensors")

    def test_wide_buffers_are_the_file_s(self):
        class Masked(nn.Linear):
            """With a mask for attention, as many models have, and a table."""

            def __init__(self):
                super().__init__(20, 9)
                self.register_buffer("mask", torch.full((3, 3), float("-inf")).triu(1))
                self.register_buffer("table", torch.randn(3, 4))
        model = Masked()
        plan = mv.attach(model, None, 300)
        self.assertEqual(plan.base.weights, ["weight"])
        safetensors.write(self.folder / "float", Masked().state_dict())
        plan = mv.attach(model := Masked(), self.folder / "float", 300)
        self.assertEqual(plan.base.weights, ["weight"])
        with torch.no_grad():
            plan.ternaries[0].latent.fill_(1.0)
        mv.export(model, self.folder / "v")
        found = safetensors.read(self.folder / "v").tensors
        self.assertTrue(torch.equal(found["mask"], model.mask))
        self.assertTrue(torch.equal(found["table"], safetensors.read(self.folder / "float").tensors["table"]))
        # A base may have INT8 buffers, made by others. What they stand for is kept.
        mv.BaseModel.from_floats({**Masked().state_dict(), "mask": torch.zeros(3, 3)}, {}, "").save(self.folder / "int8")
        plan = mv.attach(model := Masked(), self.folder / "int8", 300)
        self.assertTrue(torch.equal(model.table, plan.base.value("table")))
        mv.export(model, self.folder / "v")
        model.table[0, 0] += 1
        with self.assertRaisesRegex(mv.AttachError, "the buffer 'table' is no longer the base's, whose torch.int8"):
            mv.export(model, self.folder / "v")

    def test_tied_weights_under_both_names(self):
        safetensors.write(self.folder / "float", toy.make_toy().state_dict())
        model = toy.make_toy()
        plan = mv.attach(model, self.folder / "float", 900)
        mv.distill(model, toy.make_teacher(toy.make_toy()), toy.make_batches(), 40)
        plan.base.save(self.folder / "base")
        count = mv.export(model, self.folder / "v")
        found = safetensors.read(self.folder / "v").tensors
        self.assertTrue(torch.equal(found["head.weight"], found["embed.weight"]))
        self.assertFalse(torch.equal(found["head.weight"], plan.base.tensors["head.weight"]))
        packed = toy.pack(self.folder / "base", {"v": self.folder / "v"}, self.folder / "x.mvlt")
        self.assertLess(abs(packed["v"] - count.total), 6)

    def test_load_gives_what_a_model_computes_with(self):
        model, _ = self.train()
        mv.export(model, self.folder / "v.safetensors")
        loaded = mv.load(self.folder / "v.safetensors")
        self.assertTrue(torch.equal(loaded["hidden.weight"], model.hidden.weight))
        self.assertTrue(torch.equal(loaded["mix.bias"], model.mix.bias))
        self.assertNotIn("hidden.weight.scale", loaded)
        # Floats are not rounded to a grid.
        safetensors.write(self.folder / "f.safetensors", {"w": torch.tensor([[0.1, 0.7]]).half()})
        self.assertTrue(torch.equal(mv.load(self.folder / "f.safetensors")["w"],
                                    torch.tensor([[0.1, 0.7]]).half().float()))

    def add_foreign(self, path):
        """Adds tensors that torch 1.13 has no dtype for to a file, and gives their bytes."""
        model = safetensors.read(path)
        own = {}
        for dtype, size in (("F8_E4M3", 6), ("U16", 12), ("F4", 3), ("F6_E3M2", 3), ("U64", 48)):
            own[f"{dtype}_table"] = torch.arange(size, dtype=torch.uint8)
            model.foreign[f"{dtype}_table"] = safetensors.Foreign(dtype, [4] if dtype == "F6_E3M2" else [2, 3])
        safetensors.write(path, {**model.tensors, **own}, model.metadata, model.foreign)
        return own

    def test_tensors_that_torch_has_no_dtype_for_are_carried(self):
        for floats in (True, False):
            model, plan = self.train()
            if floats:
                safetensors.write(self.folder / "base.safetensors",
                                  {k: v for k, v in toy.make_toy().state_dict().items() if k != "head.weight"})
            else:
                plan.base.save(self.folder / "base.safetensors")
            own = self.add_foreign(self.folder / "base.safetensors")
            model = toy.make_toy()
            plan = mv.attach(model, self.folder / "base.safetensors", 420)
            mv.distill(model, toy.make_teacher(toy.make_toy()), toy.make_batches(), 24)
            plan.base.save(self.folder / "int8.safetensors")
            count = mv.export(model, self.folder / "v.safetensors")
            found = safetensors.read(self.folder / "v.safetensors")
            for name, data in own.items():
                self.assertTrue(torch.equal(found.tensors[name], data), name)
                self.assertEqual(found.foreign[name].dtype, name[:-len("_table")])
            packed = toy.pack(self.folder / "int8.safetensors", {"v": self.folder / "v.safetensors"},
                              self.folder / "x.mvlt")
            self.assertLess(abs(packed["v"] - count.total), 6)
            # A model has no such tensors where torch has no dtype for them.
            loaded = mv.load(self.folder / "v.safetensors")
            self.assertNotIn("F4_table", loaded)
            self.assertEqual("F8_E4M3_table" in loaded, hasattr(torch, "float8_e4m3fn"))

    def test_a_weight_that_torch_has_no_dtype_for_is_refused(self):
        safetensors.write(self.folder / "b", {"weight": torch.zeros(12, dtype=torch.uint8)}, {},
                          {"weight": safetensors.Foreign("F8_E4M3", [4, 3])})
        with self.assertRaisesRegex(mv.AttachError, "'weight' of .* is F8_E4M3; expected INT8 with 'weight.scale'"):
            mv.attach(nn.Linear(3, 4, bias=False), self.folder / "b")
        with self.assertRaisesRegex(mv.AttachError, r"'weight' is \[4, 2\], but 'weight' of .* is \[4, 3\]"):
            mv.attach(nn.Linear(2, 4, bias=False), self.folder / "b")
        model = nn.Linear(3, 4)
        model.register_buffer("table", torch.zeros(2, 3))
        safetensors.write(self.folder / "b", {**model.state_dict(), "table": torch.zeros(12, dtype=torch.uint8)}, {},
                          {"table": safetensors.Foreign("U16", [2, 3])})
        with self.assertRaisesRegex(mv.AttachError, "'table' of .* is U16, the model's is torch.float32"):
            mv.attach(model, self.folder / "b")

    @unittest.skipUnless(hasattr(torch, "float8_e4m3fn"), "this torch has no 8-bit floats")
    def test_a_buffer_of_a_dtype_that_newer_torch_has(self):
        model = nn.Linear(3, 4)
        model.register_buffer("table", torch.tensor([1.0, -2.0, 0.5]).to(torch.float8_e4m3fn))
        data = model.table.view(torch.uint8).clone()
        safetensors.write(self.folder / "b", {"weight": model.weight, "bias": model.bias, "table": data}, {},
                          {"table": safetensors.Foreign("F8_E4M3", [3])})
        for base in (None, self.folder / "b"):
            model = nn.Linear(3, 4)
            model.register_buffer("table", torch.tensor([1.0, -2.0, 0.5] if base is None else 3 * [0.0])
                                  .to(torch.float8_e4m3fn))
            mv.attach(model, base, 300)
            self.assertEqual(model.table.float().tolist(), [1.0, -2.0, 0.5])
            mv.export(model, self.folder / "v")
            self.assertEqual(mv.load(self.folder / "v")["table"].float().tolist(), [1.0, -2.0, 0.5])
            model.table = torch.tensor([4.0, -2.0, 0.5]).to(torch.float8_e4m3fn)
            mv.export(model, self.folder / "v")
            self.assertEqual(mv.load(self.folder / "v")["table"].float().tolist(), [4.0, -2.0, 0.5])

    def test_saturated_weights_round_trip(self):
        base = {"weight": torch.tensor([[127, -128, 120, -3]] * 40, dtype=torch.int8),
                "weight.scale": torch.full((40,), 0.5), "bias": torch.zeros(40)}
        safetensors.write(self.folder / "base.safetensors", base)
        model = torch.nn.Linear(4, 40)
        plan = mv.attach(model, self.folder / "base.safetensors", 200, scales="fixed")
        with torch.no_grad():
            plan.ternaries[0].latent.copy_(torch.tensor([1.0, -1.0, 1.0, 0.0]).expand(40, 4))
        mv.export(model, self.folder / "v.safetensors")
        stored = safetensors.read(self.folder / "v.safetensors").tensors["weight"]
        self.assertEqual(stored[0].tolist(), [127, -128, 127, -3])
        self.assertTrue(torch.equal(model.weight, stored.float() * 0.5))
        packed = toy.pack(self.folder / "base.safetensors", {"v": self.folder / "v.safetensors"},
                          self.folder / "x.mvlt")
        self.assertLess(abs(packed["v"] - plan.predicted().total), 4)


if __name__ == "__main__":
    unittest.main()

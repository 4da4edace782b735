"""Rows that are not like their neighbours, half-precision arithmetic, and processors that flush subnormals."""

import unittest
import warnings

import toy
import torch
from torch import nn
from torch.nn import functional

import modelvault as mv
from modelvault.training import grid, safetensors


class GridTest(toy.FolderTest):
    def base_and_tuned(self, base_row):
        """A layer of 16 rows of about 0.1, the fourth as given; and its fine-tune, in which the row is like any other."""
        torch.manual_seed(8)
        base = 0.1 * torch.randn(16, 40)
        base[3] = base_row
        tuned = base + 0.02 * torch.randn(16, 40)
        tuned[3] = 0.1 * torch.randn(40)
        return base, tuned

    def test_a_row_of_zeros_can_be_trained_as_its_neighbours(self):
        for base_row in (torch.zeros(40), torch.full((40,), 1e-39), 1e-6 * torch.ones(40)):
            base, tuned = self.base_and_tuned(base_row)
            safetensors.write(self.folder / "b", {"weight": base})
            model = nn.Linear(40, 16, bias=False)
            with torch.no_grad():
                model.weight.copy_(tuned)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                plan = mv.attach(model, self.folder / "b", 4000, start="model", scales="group")
            steps = plan.base.steps["weight"]
            self.assertEqual(float(steps[3]), float(steps.median()))
            self.assertLess(float((plan.base.value("weight")[3] - base[3]).abs().max()), float(steps.median()))
            optimizer = torch.optim.Adam(plan.parameter_groups())
            for _ in range(400):
                optimizer.zero_grad()
                (model.weight - tuned).square().sum().backward()
                optimizer.step()
                for t in plan.ternaries:
                    t.latent.detach().clamp_(-1, 1)
            error = (model.weight.detach() - tuned).square().mean(dim=1).sqrt()
            size = tuned.square().mean(dim=1).sqrt()
            # Three values cannot be a row of the normal distribution, and its group has other rows, too.
            self.assertLess(float(error[3] / size[3]), 0.75)

    def test_a_tensor_of_zeros_has_the_steps_of_the_others(self):
        weights = {"a": 0.1 * torch.randn(9, 30), "zeros": torch.zeros(5, 7), "b": 0.1 * torch.randn(9, 30)}
        base = mv.BaseModel.from_floats(weights, {}, "it")
        every = torch.cat([base.steps["a"], base.steps["b"]])
        self.assertEqual(base.steps["zeros"].tolist(), 5 * [float(every.median())])
        self.assertEqual(mv.BaseModel.from_floats({"z": torch.zeros(2, 2)}, {}, "it").steps["z"].tolist(), [1, 1])

    def test_rows_as_real_models_have_them_keep_their_own_steps(self):
        base, _ = self.base_and_tuned(0.1 / 8 * torch.randn(40))
        _, steps = grid.quantize(base)
        self.assertLess(float(steps[3]), float(steps.median()) / 4)

    def test_a_row_that_one_weight_spoils_is_named(self):
        base, _ = self.base_and_tuned(0.1 * torch.randn(40))
        base[3, 7] = 1e4
        safetensors.write(self.folder / "b", {"weight": base, "other": torch.randn(3, 40)})
        with self.assertWarnsRegex(UserWarning, f"{self.folder / 'b'}: 'weight' row 3: a weight far larger than the"):
            mv.attach(nn.Linear(40, 16, bias=False), self.folder / "b")
        base[5:12, 7] = 1e4
        safetensors.write(self.folder / "b", {"weight": base, "other": torch.randn(3, 40)})
        with self.assertWarnsRegex(UserWarning, "'weight' rows 3, 5, 6, 7, 8, ...: a weight far larger"):
            mv.BaseModel.load(self.folder / "b")

    def test_nothing_is_said_of_rows_that_are_sparse_or_large(self):
        base, _ = self.base_and_tuned(torch.randn(40))
        base[4] *= torch.arange(40) == 5
        base[6] *= 5
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mv.BaseModel.from_floats({"w": base, "one": torch.randn(1, 30), "v": torch.randn(2, 2)}, {}, "it")


class FlushedTest(toy.FolderTest):
    """With a processor that takes subnormals for zeros."""

    def setUp(self):
        super().setUp()
        if not torch.set_flush_denormal(True):
            self.skipTest("this processor does not flush subnormals")
        self.addCleanup(torch.set_flush_denormal, False)

    def test_carried_tensors_keep_their_bits(self):
        bits = torch.tensor([1, 0x007FFFFF, -0x7FFFFFFF, 0x3F800000, 0x7FC00001], dtype=torch.int32)
        half = torch.tensor([1, 0x03FF, -0x7FFF, 0x3C00], dtype=torch.int16)
        safetensors.write(self.folder / "b", {
            "weight": torch.randn(5, 4), "bias": torch.full((5,), 0.25), "side": bits.view(torch.float32),
            "f16": half.view(torch.float16)[None], "bf16": half.view(torch.bfloat16),
            "tiny": torch.tensor([1, 2], dtype=torch.int32).view(torch.float32)})
        model = nn.Linear(4, 5)
        model.register_buffer("side", torch.zeros(5))
        model.register_buffer("bf16", torch.zeros(4))
        model.register_buffer("tiny", torch.zeros(2))
        model.register_buffer("f16", torch.zeros(1, 4, dtype=torch.float16))
        mv.attach(model, self.folder / "b", 300)
        mv.export(model, self.folder / "v")
        model.tiny.view(torch.int32)[0] = 3
        mv.export(model, self.folder / "moved")
        self.assertEqual(safetensors.read(self.folder / "moved").tensors["tiny"].view(torch.int32).tolist(), [3, 2])
        found = safetensors.read(self.folder / "v").tensors
        self.assertTrue(torch.equal(found["side"].view(torch.int32), bits))
        # A base that is rounded has its halves in F32.
        self.assertTrue(torch.equal(found["bf16"].view(torch.int32) >> 16, half.to(torch.int32)))
        torch.set_flush_denormal(False)
        self.assertEqual(found["f16"][0].tolist(), half.view(torch.float16).tolist())

    def test_norms_that_do_not_move_keep_their_bits(self):
        base = torch.tensor([0x00010000, 0x3F800000, 0x00220000], dtype=torch.int32)
        safetensors.write(self.folder / "b", {"weight": torch.randn(3, 4), "bias": base.view(torch.float32)})
        model = nn.Linear(4, 3)
        plan = mv.attach(model, self.folder / "b", 300)
        with torch.no_grad():
            plan.sides[0].latent[1] = 3
        mv.export(model, self.folder / "v")
        found = safetensors.read(self.folder / "v").tensors["bias"].view(torch.int32)
        self.assertEqual((found != base).tolist(), [False, True, False])

    def test_what_is_exported_is_what_the_model_computes_with(self):
        model = toy.make_toy()
        plan = mv.attach(model, None, 450)
        mv.distill(model, toy.make_teacher(toy.make_toy()), toy.make_batches(), 24)
        mv.export(model, self.folder / "v")
        stored = safetensors.read(self.folder / "v").tensors
        for name in plan.base.weights:
            torch.set_flush_denormal(False)
            value = stored[name].float() * grid.per_row(stored[name + ".scale"], stored[name])
            torch.set_flush_denormal(True)
            module = model.get_submodule(name.rpartition(".")[0])
            self.assertTrue(torch.equal(module.weight.view(torch.int32), value.view(torch.int32)), name)


class Layers(nn.Module):
    """Of kinds that torch computes in 16 bits under autocast."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.embed = nn.Embedding(37, 32)
        self.hidden, self.head = nn.Linear(32, 48), nn.Linear(48, 37)

    def forward(self, tokens):
        return self.head(torch.tanh(self.hidden(self.embed(tokens))))


class HalfPrecisionTest(toy.FolderTest):
    def train(self, around):
        """Losses of a loop under autocast, around the whole of it or around each forward pass (None: neither)."""
        model, teacher = Layers(1), Layers(2).eval()
        plan = mv.attach(model, None, 900)
        optimizer = torch.optim.Adam(plan.parameter_groups())
        losses = []
        with torch.autocast("cpu", torch.bfloat16, enabled=around == "loop"):
            for inputs, _ in toy.make_batches() * 8:
                with torch.autocast("cpu", torch.bfloat16, enabled=around is not None):
                    with torch.no_grad():
                        answer = teacher(inputs).float().softmax(-1)
                    logits = model(inputs)
                    self.assertEqual(logits.dtype, torch.float32 if around is None else torch.bfloat16)
                loss = functional.kl_div(logits.float().log_softmax(-1), answer, reduction="batchmean") / 12
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                plan.step(optimizer)
                losses.append(float(loss))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # So short a training may leave it to export() to drop some.
                mv.export(model, self.folder / "v")
        loaded = mv.load(self.folder / "v")
        for name in ("embed", "hidden", "head"):
            self.assertTrue(torch.equal(getattr(model, name).weight, loaded[f"{name}.weight"]))
        return losses

    def test_autocast_around_the_loop_or_the_forward_pass(self):
        plain, loop, forward = (self.train(around) for around in (None, "loop", "forward"))
        fall = sum(plain[:6]) - sum(plain[-6:])
        self.assertGreater(fall, 0.1)
        for losses in (loop, forward):
            self.assertLess(abs(sum(losses[:6]) - sum(losses[-6:]) - fall), 0.1 * fall)

    def test_curvature_under_autocast(self):
        # 257 has too many bits for the format.
        model, inputs = nn.Linear(1, 3), torch.ones(257, 1)
        for enabled in (False, True):
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                mv.curvature(model, [inputs], self.folder / "c")
            self.assertEqual(safetensors.read(self.folder / "c").tensors["weight.H"].tolist(), [[1.0]])
        mv.curvature(model.bfloat16(), [inputs.bfloat16()], self.folder / "c")
        self.assertEqual(safetensors.read(self.folder / "c").tensors["weight.H"].tolist(), [[1.0]])


if __name__ == "__main__":
    unittest.main()

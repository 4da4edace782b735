"""Bytes: what is predicted is what is packed, and the budget is met."""

import re
import sys
import unittest
import unittest.mock

import toy
import torch

import modelvault as mv
from modelvault.training import coder_cost, safetensors


class CostTableTest(unittest.TestCase):
    def test_tables_are_the_coders(self):
        text = (toy.ROOT / "codec" / "cost_tables.inc").read_text()
        for name, table in (("kHitCost", coder_cost.HIT_COSTS), ("kMissCost", coder_cost.MISS_COSTS)):
            numbers = re.search(name + r"\[kLevelCount\] = \{([^}]*)\}", text).group(1)
            self.assertEqual([int(n) for n in numbers.split(",")], list(table))


class BudgetTest(toy.FolderTest):
    def train(self, budget, **options):
        model = toy.make_toy()
        plan = mv.attach(model, None, budget, **options)
        mv.distill(model, toy.make_teacher(model_before(), amount=0.3), toy.make_batches(), 48)
        return model, plan

    def stored(self, model, plan):
        plan.base.save(self.folder / "base.safetensors")
        count = mv.export(model, self.folder / "v.safetensors")
        packed = toy.pack(self.folder / "base.safetensors", {"v": self.folder / "v.safetensors"},
                          self.folder / "x.mvlt")
        return count.total, packed["v"]

    def test_packed_bytes_are_the_budget(self):
        for budget, options in ((450, {}), (700, {"scales": "group"}), (450, {"price": "l1"}), (450, {"side": False}),
                                (450, {"price": "loss"})):
            with self.subTest(budget=budget, **options):
                predicted, packed = self.stored(*self.train(budget, **options))
                self.assertLess(abs(packed / budget - 1), 0.02)
                self.assertLess(abs(packed - predicted), 6)

    def test_a_budget_that_changed_after_training_is_met(self):
        model, plan = self.train(450)
        plan.budget_bytes = 390
        _, packed = self.stored(model, plan)
        self.assertLess(abs(packed / 390 - 1), 0.02)

    def test_where_the_search_for_a_threshold_begins_does_not_matter(self):
        _, plan = self.train(450)
        # pylint: disable=protected-access
        first = plan.threshold
        count, codings = plan._measure(plan._codings)
        reached = set()
        for budget in (300, 440, 450, 460, 600, 5000):
            plan.budget_bytes = budget
            found = []
            for nearby in (0.0, 0.8, 1.0):
                with unittest.mock.patch.object(sys.modules["modelvault.training.plan"], "_NEARBY", nearby):
                    plan._set_threshold(first)
                    found.append((plan._move_threshold(count, codings), plan.threshold))
            self.assertEqual(found, found[:1] * 3, budget)
            reached.add(found[0])
        self.assertGreater(len(reached), 4)

    def test_a_budget_that_is_not_needed_is_not_an_error(self):
        predicted, packed = self.stored(*self.train(100_000))
        self.assertLess(predicted, 100_000)
        self.assertLess(abs(packed / predicted - 1), 0.02)

    def test_bytes_that_jump_come_near_the_budget(self):
        model = torch.nn.Linear(64, 40, bias=False)
        plan = mv.attach(model, None, 120)
        with torch.no_grad():
            # Row by row the same latent: each threshold keeps whole rows.
            plan.ternaries[0].latent.copy_(torch.linspace(0.3, 0.9, 40)[:, None].expand(40, 64))
        bytes_of_rows = {plan.finish().total for plan.budget_bytes in (110, 115, 120, 125)}
        self.assertLess(max(bytes_of_rows), 125)
        self.assertGreater(min(bytes_of_rows), 90)

    def test_a_weight_stored_twice_is_priced_twice(self):
        moved = []
        for left_out in ({"head.weight"}, set()):
            safetensors.write(self.folder / "b", {key: tensor for key, tensor in toy.make_toy().state_dict().items()
                                                  if key not in left_out})
            plan = mv.attach(toy.make_toy(), self.folder / "b", 450)
            with torch.no_grad():
                plan.ternaries[0].latent.fill_(0.9)
            # Prices are there after the first eight steps.
            plan.load_state_dict({**plan.state_dict(), "steps": 8})
            plan.step(torch.optim.SGD(plan.parameter_groups(), lr=0.1))
            moved.append(0.9 - float(plan.ternaries[0].latent[0, 0]))
        self.assertAlmostEqual(moved[1], 2 * moved[0], places=4)

    def test_an_impossible_budget_is_an_error(self):
        model, _ = self.train(450)
        mv.plan_of(model).budget_bytes = 3
        with self.assertRaisesRegex(mv.AttachError, "equal to the base takes .* bytes already"):
            mv.export(model, self.folder / "v.safetensors")
        self.assertFalse((self.folder / "v.safetensors").exists())


def model_before():
    return toy.make_toy()


class ByteCountTest(toy.FolderTest):
    """Counts against real packs, of models that no training would make."""

    def make(self, seed, density, shape=(90, 70), scales=(3,)):
        generator = torch.Generator().manual_seed(seed)
        base = torch.randint(-90, 91, shape, dtype=torch.int8, generator=generator)
        rows = torch.rand(shape[0], 1, generator=generator)**4
        hit = torch.rand(shape, generator=generator) < rows * density * 5
        sign = torch.where(torch.rand(shape, generator=generator) < 0.5, 1, -1)
        groups = -(-base.numel() // 128)
        k = torch.tensor(scales)[torch.randint(len(scales), (groups,), generator=generator)]
        k = k[:, None].expand(-1, 128).flatten()[:base.numel()].view(shape)
        return base, (base + (hit * sign * k)).to(torch.int8)

    def check(self, base, variants, alone):
        safetensors.write(self.folder / "base.safetensors", base)
        paths = {}
        for i, variant in enumerate(variants):
            paths[f"v{i:02}"] = self.folder / f"v{i:02}.safetensors"
            safetensors.write(paths[f"v{i:02}"], variant)
        packed = toy.pack(self.folder / "base.safetensors", paths, self.folder / "x.mvlt")
        priors = None if alone else mv.Priors.from_variants(self.folder / "base.safetensors", paths.values())
        counter = mv.ByteCounter(base, priors)
        model_priors = toy.mvault("info", self.folder / "x.mvlt")["parts"]["model_priors"]
        for name, path in paths.items():
            count = counter.count(safetensors.read(path).tensors)
            own = model_priors if alone else 0
            self.assertLess(abs(count.total - packed[name] - own), 5, name)
        if not alone:
            self.assertEqual(priors.bytes(), model_priors)

    def test_one_variant(self):
        for density, scales in ((0.002, (3,)), (0.03, (3,)), (0.03, (2, 3, 9)), (0.2, (1, 2))):
            with self.subTest(density=density, scales=scales):
                base, variant = self.make(5, density, scales=scales)
                self.check({"w": base, "n": torch.ones(9)}, [{"w": variant, "n": torch.ones(9)}], alone=True)

    def test_a_family_with_shared_priors(self):
        base, _ = self.make(5, 0)
        variants = []
        for seed in range(12):
            generator = torch.Generator().manual_seed(seed)
            rows = torch.arange(90)[:, None] % 9 == 0
            hit = torch.rand(base.shape, generator=generator) < torch.where(rows, 0.2, 0.01)
            variants.append({"w": torch.where(hit, base + 4, base).to(torch.int8)})
        self.check({"w": base}, variants, alone=False)

    def test_priors_of_a_folder(self):
        base, variant = self.make(5, 0.05)
        safetensors.write(self.folder / "b", {"w": base})
        (self.folder / "pilot").mkdir()
        for name in ("one", "two"):
            safetensors.write(self.folder / "pilot" / f"{name}.safetensors", {"w": variant})
        # What macOS leaves beside files on other systems' disks.
        (self.folder / "pilot" / "._one.safetensors").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00")
        (self.folder / "pilot" / "notes.txt").write_text("no model")
        files = sorted((self.folder / "pilot").glob("*.safetensors"))
        self.assertEqual(len(files), 3)
        found = [mv.Priors.from_variants(self.folder / "b", what)["w"] for what in
                 (self.folder / "pilot", str(self.folder / "pilot"), files, files[1:])]
        for prior in found[1:]:
            self.assertEqual(prior.steps(*base.shape).tolist(), found[0].steps(*base.shape).tolist())
            self.assertEqual(prior.level, found[0].level)
        with self.assertRaisesRegex(mv.ModelFileError, "no variants to make priors of"):
            mv.Priors.from_variants(self.folder / "b", files[:1])

    def test_more_than_one_segment(self):
        base, variant = self.make(6, 0.01, shape=(2600, 900))
        self.check({"a": base[:3], "w": base}, [{"a": variant[:3], "w": variant}], alone=True)

    def test_side_tensors(self):
        generator = torch.Generator().manual_seed(4)
        norm = torch.randn(200, generator=generator)
        moved = norm.view(torch.int32).bitwise_and(-1 << 14).view(torch.float32)
        base = {"n": moved, "count": torch.tensor(7), "same": torch.ones(30), "half": torch.ones(5).half()}
        variant = {**base, "n": moved * torch.where(torch.rand(200, generator=generator) < 0.3, 1.0625, 1.0),
                   "count": torch.tensor(19)}
        self.check(base, [variant], alone=True)


if __name__ == "__main__":
    unittest.main()

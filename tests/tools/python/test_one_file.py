"""One call writes one file that has all that `mvault fit` wants to know."""

import functools
import unittest

import toy
import torch

import modelvault as mv
from modelvault.training import safetensors

BUDGET = 8000


def state(model):
    # `fit` takes floats only.
    return {k: v for k, v in model.state_dict().items() if k not in ("head.weight", "norm.num_batches_tracked")}


class OneFileTest(toy.FolderTest):
    def setUp(self):
        super().setUp()
        self.base = self.folder / "base.safetensors"
        safetensors.write(self.base, state(toy.make_toy()))
        self.teachers = [toy.make_teacher(toy.make_toy(), seed=i) for i in range(2)]
        self.files = []
        for i, teacher in enumerate(self.teachers):
            self.files.append(self.folder / f"tune{i}.safetensors")
            safetensors.write(self.files[-1], state(teacher))
        self.batches = toy.make_batches(8)

    def make(self, name, variants=None, **options):
        mv.curvature(toy.make_toy(), self.batches, self.folder / name, base=self.base, variants=variants,
                     program=toy.MVAULT, budget=BUDGET, **options)
        return safetensors.read(self.folder / name)

    def both(self):
        return [(teacher, file, self.batches) for teacher, file in zip(self.teachers, self.files)]

    def fit(self, name, *options):
        return toy.mvault("fit", "--base", self.base, "--variant", f"tune0={self.files[0]}", "--variant",
                          f"tune1={self.files[1]}", "--curvature", self.folder / name, "--budget", BUDGET, "-o",
                          self.folder / "x.mvlt", *options)

    def test_importance_is_always_there(self):
        one = self.make("c", importance=self.folder / "i")
        own = safetensors.read(self.folder / "i").tensors
        self.assertEqual(set(own), set(safetensors.read(self.base).tensors) - {"norm.running_mean", "norm.running_var"})
        for name, values in own.items():
            self.assertTrue(torch.equal(one.tensors[name + ".importance"], values), name)
        self.assertFalse([name for name in one.tensors if name.endswith(".tensor_weight")])
        self.assertEqual(one.metadata, {"role": "Kronecker curvature"})

    def test_weights_are_those_of_a_first_fit(self):
        one = self.make("c", self.both()).tensors
        self.make("plain", importance=self.folder / "i")
        self.fit("plain", "--importance", self.folder / "i", "--export-int8", self.folder / "first")
        variants = [(teacher, self.folder / "first" / "variants" / f"{name}.safetensors", self.batches)
                    for teacher, name in zip(self.teachers, ("tune0", "tune1"))]
        by_hand = mv.tensor_weights(variants, self.folder / "plain")
        weights = {name: float(x) for name, x in one.items() if name.endswith(".tensor_weight")}
        self.assertEqual(set(weights), {f"{name}.weight.tensor_weight"
                                        for name in ("embed", "mix", "image", "hidden", "down")})
        for name, weight in weights.items():
            expected = float(f"{by_hand.get(name[:-len('.tensor_weight')], 1.0):.3g}")
            self.assertAlmostEqual(weight, expected, places=6)
            self.assertEqual((one[name].dtype, list(one[name].shape)), (torch.float32, []))
        # The rest of the file is as without.
        plain = safetensors.read(self.folder / "plain").tensors
        self.assertEqual(set(plain), set(one) - set(weights))

    def test_a_file_of_old_is_completed(self):
        one = self.make("c", self.both()).tensors
        safetensors.write(self.folder / "old", {name: t for name, t in one.items() if name[-2:] in (".G", ".H")})
        self.make("again", importance=self.folder / "i")
        mv.add_tensor_weights(self.folder / "old", self.folder / "all", self.both(), importance=self.folder / "i",
                              base=self.base, budget=BUDGET, program=toy.MVAULT)
        found = safetensors.read(self.folder / "all").tensors
        self.assertEqual(set(found), set(one))
        for name, tensor in one.items():
            self.assertTrue(torch.equal(found[name], tensor), name)

    def test_files_of_one_name(self):
        (self.folder / "other").mkdir()
        second = self.folder / "other" / self.files[0].name
        second.write_bytes(self.files[1].read_bytes())
        variants = [(self.teachers[0], self.files[0], self.batches), (self.teachers[1], second, self.batches)]
        self.assertIn("hidden.weight.tensor_weight", self.make("c", variants).tensors)

    def test_a_fine_tune_may_be_loaded_when_it_is_its_turn(self):
        loaded = []

        def load(i):
            loaded.append(i)
            return self.teachers[i]
        variants = ((functools.partial(load, i), self.files[i], self.batches if i == 1 else None) for i in range(2))
        one = self.make("c", variants).tensors
        self.assertEqual(loaded, [1])
        self.assertIn("hidden.weight.tensor_weight", one)

    def test_fit_takes_the_file(self):
        self.make("c", self.both())
        report = self.fit("c")
        metrics = {t["name"]: t["metric"] for t in report["tensors"]}
        self.assertEqual(metrics["hidden.weight"], "kronecker")

    def test_a_first_fit_that_fails_leaves_no_file(self):
        for pattern, variants, options in (
                ("variants: at least one is needed with batches", [], {}),
                ("the first fit needs mvault, and nowhere/mvault cannot be run .*: program= takes its path", self.both(),
                 {"program": "nowhere/mvault"}),
                ("the first fit ended with [0-9]+: mvault: error: .*'nope'", self.both(),
                 {"fit_options": ["--tensor-weight", "nope=2"]}),
                ("variants: at least one is needed with batches", [(None, self.files[0], None)], {"program": "nowhere"})):
            with self.subTest(pattern):
                with self.assertRaisesRegex(mv.AttachError, "(?s)" + pattern):
                    mv.curvature(toy.make_toy(), self.batches, self.folder / "c", base=self.base, variants=variants,
                                 **{"program": toy.MVAULT, "budget": BUDGET, **options})
                self.assertFalse((self.folder / "c").exists())

    def test_importance_in_the_file_is_as_good_as_beside_it(self):
        one = self.make("c", importance=self.folder / "i").tensors
        safetensors.write(self.folder / "g", {name: t for name, t in one.items() if name.startswith("down.weight.")})
        safetensors.write(self.folder / "old", {name: t for name, t in one.items() if name[-2:] in (".G", ".H")})
        safetensors.write(self.folder / "all", {name: t for name, t in one.items() if name[-2:] not in (".G", ".H")})
        restored = self.folder / "r"
        noise = torch.Generator().manual_seed(5)
        safetensors.write(restored, {key: tensor + 0.05 * torch.randn(tensor.shape, generator=noise)
                                     for key, tensor in state(self.teachers[0]).items()})
        variants = [(self.teachers[0], restored, self.batches)]
        beside = mv.tensor_weights(variants, None, importance=self.folder / "i")
        self.assertEqual(mv.tensor_weights(variants, self.folder / "all"), beside)
        self.assertEqual(mv.tensor_weights(variants, self.folder / "c"),
                         mv.tensor_weights(variants, self.folder / "old", importance=self.folder / "i"))
        # A file of its own is in place of it.
        self.assertEqual(list(mv.tensor_weights(variants, self.folder / "c", importance=self.folder / "old")),
                         list(mv.tensor_weights(variants, self.folder / "old")))


if __name__ == "__main__":
    unittest.main()

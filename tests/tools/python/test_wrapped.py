"""Models in wrappers, and weights that are made by hooks or stand under other names."""

import pathlib
import unittest
import warnings

import toy
import torch
from torch import nn
from torch.nn.utils import prune

import modelvault as mv
from modelvault.training import safetensors


class Compiled(nn.Module):
    """Holds a model as torch.compile() does."""

    def __init__(self, model):
        super().__init__()
        self._orig_mod = model

    def forward(self, *arguments):
        return self._orig_mod(*arguments)


def parallel_worker(rank, folder):
    """One of two processes that train one model, each on half of each batch."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    model = toy.make_toy()
    plan = mv.attach(model, None, 450)
    wrapped = nn.parallel.DistributedDataParallel(model)
    halves = [(x[2 * rank:2 * rank + 2], y[2 * rank:2 * rank + 2]) for x, y in toy.make_batches()]
    mv.distill(wrapped, None, halves, 16, kl=0)
    mv.export(wrapped, pathlib.Path(folder) / f"outer{rank}")
    if rank == 0:
        plan_bytes = plan.predicted().total
        assert mv.export(model, pathlib.Path(folder) / "inner").total == plan_bytes
    torch.distributed.destroy_process_group()


class WrappedTest(toy.FolderTest):
    def refused(self, pattern, model):
        for what in (lambda: mv.attach(model), lambda: mv.curvature(model, [torch.ones(1, 4)], self.folder / "c"),
                     lambda: mv.apply_lora(model, {"a.lora_A": torch.ones(1, 4), "a.lora_B": torch.ones(4, 1)}, 1)):
            with self.assertRaisesRegex(mv.AttachError, pattern):
                what()

    def test_attach_wants_what_is_inside(self):
        linear = nn.Linear(4, 4)
        self.refused("the model is wrapped in Compiled: unwrap first .its ._orig_mod., and wrap it", Compiled(linear))
        self.refused("the model is wrapped in DataParallel: unwrap first .its .module.", nn.DataParallel(linear))
        self.refused("'1' is wrapped in Compiled", nn.Sequential(linear, Compiled(nn.Linear(4, 4))))

    @unittest.skipUnless(hasattr(torch, "compile"), "this torch does not compile")
    def test_torch_compile(self):
        self.refused("the model is wrapped in OptimizedModule: unwrap first",
                     torch.compile(nn.Linear(4, 4), backend="eager"))
        found = []
        for compiled in (False, True):
            model = toy.make_toy()
            mv.attach(model, None, 450)
            outer = torch.compile(model, backend="aot_eager") if compiled else model
            found.append(mv.distill(outer, None, toy.make_batches(), 12, kl=0))
            mv.export(outer, self.folder / "outer")
            mv.export(model, self.folder / "inner")
            self.assertEqual((self.folder / "outer").read_bytes(), (self.folder / "inner").read_bytes())
        for eager, other in zip(*found):
            self.assertAlmostEqual(eager, other, places=4)

    @unittest.skipUnless(torch.distributed.is_available(), "this torch has no processes that train together")
    def test_two_processes_train_one_model(self):
        torch.multiprocessing.spawn(parallel_worker, (str(self.folder),), nprocs=2)
        files = [(self.folder / name).read_bytes() for name in ("outer0", "outer1", "inner")]
        self.assertEqual(files[0], files[1])
        self.assertEqual(files[0], files[2])
        model = toy.make_toy()
        mv.attach(model, None, 450)
        mv.distill(model, None, toy.make_batches(), 16, kl=0)
        mv.export(model, self.folder / "alone")
        ours, theirs = (safetensors.read(self.folder / name).tensors for name in ("outer0", "alone"))
        same = [float((ours[n] == theirs[n]).float().mean()) for n in ours if ours[n].dtype == torch.int8]
        # But for rounding; half the weights' moves would be another model.
        self.assertGreater(min(same), 0.97)

    def test_a_base_with_a_wrapper_s_names(self):
        for prefix in ("_orig_mod.", "module.", "_orig_mod.module."):
            state = toy.make_toy().state_dict()
            safetensors.write(self.folder / "b", {prefix + key: tensor for key, tensor in state.items()})
            hint = (r"no tensor for the model's 'embed.weight' and 11 of its other 11 tensors .*; all are there with "
                    rf"'{prefix}' in front: names=lambda key: '{prefix}' \+ key")
            with self.assertRaisesRegex(mv.AttachError, hint):
                mv.attach(toy.make_toy(), self.folder / "b")
            with self.assertRaisesRegex(mv.AttachError, hint):
                mv.curvature(toy.make_toy(), [], self.folder / "c", base=self.folder / "b")
            with self.assertRaisesRegex(mv.AttachError, hint):
                mv.tensor_weights([(toy.make_toy(), self.folder / "b", [])], None)
            mv.attach(toy.make_toy(), self.folder / "b", names=lambda key, prefix=prefix: prefix + key)
        safetensors.write(self.folder / "b", toy.make_toy().state_dict())
        inside = nn.ModuleDict({"language": nn.ModuleDict({"model": toy.make_toy()})})
        with self.assertRaisesRegex(mv.AttachError, r"all are there without 'language.model.' in front: names=lambda "
                                    r"key: key\[15:\]"):
            mv.attach(inside, self.folder / "b")
        mv.attach(inside, self.folder / "b", names=lambda key: key[15:])


class HookedTest(toy.FolderTest):
    def test_weights_that_hooks_make_are_refused(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Old forms are deprecated.
            normed = nn.utils.weight_norm(nn.Linear(4, 3))
            spectral = nn.utils.spectral_norm(nn.Linear(4, 3))
        pruned = nn.Linear(4, 3)
        prune.random_unstructured(pruned, "weight", 0.5)
        for made, module in (("weight_g and weight_v", normed), ("weight_orig", spectral), ("weight_orig", pruned)):
            for path, model in (("", module), ("1.", nn.Sequential(nn.ReLU(), module))):
                for what in (mv.attach, lambda m: mv.curvature(m, [torch.ones(2, 4)], self.folder / "c")):
                    with self.assertRaisesRegex(mv.AttachError, f"'{path}weight' is made of {made} by a hook.*plain"):
                        what(model)
        new = [nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3))]
        if hasattr(nn.utils.parametrizations, "weight_norm"):
            new.append(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)))
        for module in new:
            with self.assertRaisesRegex(mv.AttachError, "the module has a parametrisation already"):
                mv.attach(module)
            with self.assertRaisesRegex(mv.AttachError, "curvature is of a model's own weights"):
                mv.curvature(module, [torch.ones(2, 4)], self.folder / "c")
        # Taken off, they are like any.
        nn.utils.remove_weight_norm(normed)
        prune.remove(pruned, "weight")
        mv.attach(normed)
        mv.attach(pruned)

    def test_other_attributes_are_not_taken_for_weights(self):
        module = nn.Linear(4, 3)
        module.mask = torch.ones(3)
        module.mask_token = nn.Parameter(torch.ones(3))
        mv.attach(module)


class TiedTest(toy.FolderTest):
    def base(self, *left_out):
        tensors = {key: tensor for key, tensor in toy.make_toy().state_dict().items() if key not in left_out}
        safetensors.write(self.folder / "b", tensors)
        return self.folder / "b"

    def untied(self):
        model = toy.make_toy()
        model.head.weight = nn.Parameter(model.head.weight.detach().clone())
        return model

    def test_a_head_that_the_base_leaves_out(self):
        with self.assertRaisesRegex(mv.AttachError, "no tensor for the model's 'head.weight'.*Or is it tied to "
                                    "'embed.weight', and stored once. Then tie it in the model"):
            mv.attach(self.untied(), self.base("head.weight"))
        mv.attach(toy.make_toy(), self.base("head.weight"))

    def test_a_head_that_only_the_base_has(self):
        class Functional(toy.Toy):
            """Uses its embedding as its head, and has none."""

            def __init__(self):
                super().__init__()
                del self.head
                self.head = lambda x: nn.functional.linear(x, self.embed.weight)
        with self.assertWarnsRegex(UserWarning, "'head.weight' of .* equals 'embed.weight', but the model has no such"):
            mv.attach(Functional(), self.base())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mv.attach(Functional(), self.base("head.weight"))
            mv.attach(toy.make_toy(), self.base())

    def test_a_head_apart_in_both(self):
        model = self.untied()
        plan = mv.attach(model, self.base(), 900)
        mv.distill(model, None, toy.make_batches(), 24, kl=0)
        mv.export(model, self.folder / "v")
        found = safetensors.read(self.folder / "v").tensors
        self.assertFalse(torch.equal(found["head.weight"], found["embed.weight"]))
        self.assertFalse(torch.equal(found["head.weight"], plan.base.tensors["head.weight"]))


if __name__ == "__main__":
    unittest.main()

"""Models that checkpoint their activations are trained and measured as others are, or not at all."""

import unittest
import warnings

import toy
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import modelvault as mv
from modelvault.training import safetensors


class Block(nn.Module):
    """Attention without heads, and a layer that it uses twice."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, width), nn.Linear(width, width, bias=False)

    def forward(self, x):
        h = self.norm(x)
        x = x + self.out((h @ self.mix(h).transpose(1, 2)).softmax(-1) @ h)
        return x + self.out(torch.tanh(self.mix(x)))


class Stack(nn.Module):
    """Tokens to logits, through blocks that are checkpointed (`reentrant` False or True) or not (None)."""

    def __init__(self, reentrant=None, embedding_learns=True):
        super().__init__()
        self.reentrant = reentrant
        self.embed = nn.Embedding(toy.VOCABULARY, 16)
        self.embed.weight.requires_grad_(embedding_learns)
        self.blocks = nn.ModuleList(Block(16) for _ in range(3))
        self.head = nn.Linear(16, toy.VOCABULARY, bias=False)

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x) if self.reentrant is None else checkpoint(block, x, use_reentrant=self.reentrant)
        # The head's weight and the first block's norm are read again, outside.
        return self.head(self.blocks[0].norm(x)) + self.head(x)


def make_stack(reentrant=None, seed=1, **options):
    torch.manual_seed(seed)
    return Stack(reentrant, **options)


class CheckpointingTest(toy.FolderTest):
    def test_the_same_latents_as_without(self):
        found = []
        for reentrant in (None, False, True):
            model = make_stack(reentrant)
            plan = mv.attach(model, None, 900)
            losses = mv.distill(model, make_stack(seed=2).eval(), toy.make_batches(), 20)
            mv.export(model, self.folder / "x")
            found.append((losses, [t.latent.detach() for t in plan.ternaries + plan.sides],
                          (self.folder / "x").read_bytes()))
        for losses, latents, content in found[1:]:
            self.assertEqual(losses, found[0][0])
            for latent, plain in zip(latents, found[0][1]):
                self.assertTrue(torch.equal(latent, plain))
            self.assertEqual(content, found[0][2])

    def test_the_same_curvature_and_tensor_weights_as_without(self):
        inputs = [x for x, _ in toy.make_batches(3)]
        noise = torch.Generator().manual_seed(5)
        safetensors.write(self.folder / "r", {key: tensor + 0.05 * torch.randn(tensor.shape, generator=noise)
                                              for key, tensor in make_stack().state_dict().items()})
        files, weights = [], []
        for reentrant in (None, False, True):
            model = make_stack(reentrant)
            model.head.weight.grad = torch.ones_like(model.head.weight)
            mv.curvature(model, inputs, self.folder / "c")
            self.assertTrue(bool((model.head.weight.grad == 1).all()))
            self.assertIsNone(model.embed.weight.grad)
            files.append(safetensors.read(self.folder / "c").tensors)
            weights.append(mv.tensor_weights([(model, self.folder / "r", inputs)], self.folder / "c"))
        for tensors in files[1:]:
            self.assertEqual(list(tensors), list(files[0]))
            for name, tensor in tensors.items():
                self.assertTrue(torch.allclose(tensor, files[0][name], rtol=1e-4, atol=1e-8), name)
        for name, weight in weights[0].items():
            for others in weights[1:]:
                self.assertAlmostEqual(others[name], weight, delta=1e-3 * weight)

    def test_blocks_that_no_gradient_reaches_are_told(self):
        # Re-entrant checkpointing gives no gradient where inputs need none.
        model = make_stack(True, embedding_learns=False)
        mv.attach(model, None, 900)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own
            with self.assertRaisesRegex(mv.AttachError, "no gradient reaches 'blocks.0.mix.weight'.*which the model read"):
                mv.distill(model, None, toy.make_batches(), 20, kl=0)
        model = make_stack(False, embedding_learns=False)
        mv.attach(model, None, 900)
        mv.distill(model, None, toy.make_batches(), 2, kl=0)

    def test_curvature_that_no_gradient_reaches_is_told(self):
        class Features(nn.Module):
            """Its layer is applied to numbers, not to what another layer gives."""

            def __init__(self):
                super().__init__()
                self.first, self.last = nn.Linear(6, 5), nn.Linear(5, 4)

            def forward(self, x):
                return self.last(checkpoint(self.first, x, use_reentrant=True))
        with self.assertWarnsRegex(UserWarning, "nothing is known of first.weight, first.bias: no gradient reaches them"):
            names = mv.curvature(Features(), [torch.randn(8, 6)], self.folder / "c")
        self.assertEqual(names, ["last.weight"])
        self.assertNotIn("first.weight.importance", safetensors.read(self.folder / "c").tensors)

    def test_weights_that_are_not_read_need_no_gradient(self):
        model = make_stack()
        model.unused = nn.Linear(4, 4)
        mv.attach(model, None, 900)
        mv.distill(model, None, toy.make_batches(), 2, kl=0)

    def test_a_loop_that_caches_weights_across_the_backward_pass_is_told(self):
        model = make_stack(True)
        plan = mv.attach(model, None, 900)
        optimizer = torch.optim.Adam(plan.parameter_groups())
        inputs, targets = toy.make_batches(1)[0]
        with nn.utils.parametrize.cached():
            nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        optimizer.step()
        with self.assertRaisesRegex(mv.AttachError, "no gradient reaches 'blocks.0.mix.weight'"):
            plan.step(optimizer)

    def test_gradients_may_be_cleared_before_the_plan_s_step(self):
        model = make_stack()
        plan = mv.attach(model, None, 900)
        optimizer = torch.optim.Adam(plan.parameter_groups())
        inputs, targets = toy.make_batches(1)[0]
        nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        plan.step(optimizer)


if __name__ == "__main__":
    unittest.main()

"""Batches and answers in the forms that people have them, everywhere alike."""

import collections
import unittest

import toy
import torch
from torch import nn
from torch.nn import functional

import modelvault as mv
from modelvault.training import safetensors
from modelvault.training.batch import Batch, logits_of

PAD = -100


class Answer:
    """An object with logits among other things."""

    def __init__(self, logits, loss=None):
        self.loss, self.logits, self.hidden_states = loss, logits, None


class Causal(toy.Toy):
    """Takes what language models of the usual kind take, and answers as asked."""

    def __init__(self, answer=Answer):
        super().__init__()
        self.answer = answer

    def forward(self, input_ids, attention_mask=None, labels=None):  # pylint: disable=arguments-differ
        assert labels is None, "labels would make it compute a loss of its own"
        if attention_mask is not None:
            input_ids = input_ids * attention_mask
        return self.answer(super().forward(input_ids))


ANSWERS = {"tensor": lambda x: x, "object": Answer, "mapping": lambda x: collections.OrderedDict(loss=None, logits=x),
           "tuple": lambda x: (x, None), "tuple with a loss": lambda x: (torch.tensor(0.5), x)}


def like(kind, state, *arguments):
    model = kind(*arguments).eval()
    model.load_state_dict(state)
    return model


class BatchTest(toy.FolderTest):
    def setUp(self):
        super().setUp()
        self.state = toy.make_toy().state_dict()

    def train(self, model, batches, kl=0.5, teacher=None):
        mv.attach(model, None, 450)
        return mv.distill(model, teacher, batches, 4, kl=kl)

    def test_every_kind_of_answer_trains_alike(self):
        plain = toy.make_toy()
        expected = self.train(plain, toy.make_batches(), teacher=toy.make_teacher(plain))
        for what, answer in ANSWERS.items():
            with self.subTest(what):
                teacher = like(Causal, toy.make_teacher(toy.make_toy()).state_dict(), answer)
                model = like(Causal, self.state, answer)
                self.assertEqual(self.train(model, toy.make_batches(), teacher=teacher), expected)

    def test_every_kind_of_batch_trains_alike(self):
        plain = toy.make_batches()
        mask = torch.ones_like(plain[0][0])
        expected = self.train(toy.make_toy(), plain, kl=0)
        for what, batches in {
                "list": [list(batch) for batch in plain],
                "mapping": [{"input_ids": x, "labels": y} for x, y in plain],
                "mapping with a mask": [{"input_ids": x, "attention_mask": mask, "labels": y} for x, y in plain],
                "no dict": [collections.UserDict(input_ids=x, labels=y) for x, y in plain],
                "mapping, and targets": [({"input_ids": x}, y) for x, y in plain],
                "targets before labels": [({"input_ids": x, "labels": x}, y) for x, y in plain]}.items():
            with self.subTest(what):
                self.assertEqual(self.train(like(Causal, self.state), batches, kl=0), expected)

    def test_probabilities_beside_a_mapping(self):
        teacher = toy.make_teacher(toy.make_toy())
        batches = [({"input_ids": x, "labels": y}, None, teacher(x).detach().softmax(-1))
                   for x, y in toy.make_batches()]
        self.assertEqual(self.train(like(Causal, self.state), batches),
                         self.train(toy.make_toy(), toy.make_batches(), teacher=teacher))

    def test_labels_that_are_the_input_are_meant_for_the_next_place(self):
        tokens = toy.make_batches(1)[0][0]
        labels = tokens.clone()
        labels[0, :5] = PAD
        mask = torch.ones_like(tokens)
        mask[1, 9:] = 0
        batch = Batch({"input_ids": tokens, "labels": labels, "attention_mask": mask})
        logits = torch.zeros(*tokens.shape, 37)
        kept = batch.kept(logits).view(tokens.shape)
        self.assertEqual(kept[0].tolist(), 4 * [False] + 7 * [True] + [False])
        self.assertEqual(kept[1].tolist(), 8 * [True] + 4 * [False])
        self.assertEqual(batch.targets[2, :-1].tolist(), tokens[2, 1:].tolist())
        expected = like(Causal, self.state)
        mv.attach(expected, None, 450)
        ours = expected(tokens, mask).logits
        with torch.no_grad():
            theirs = functional.cross_entropy(ours[:, :-1].flatten(0, 1),
                                              labels.masked_fill(mask == 0, PAD)[:, 1:].flatten())
        losses = self.train(like(Causal, self.state), [{"input_ids": tokens, "labels": labels, "attention_mask": mask}],
                            kl=0)
        self.assertAlmostEqual(losses[0], float(theirs), places=5)
        # A masked language model's are those of the same place.
        other = labels.clone()
        other[3, 3] = (other[3, 3] + 1) % 37
        self.assertTrue(torch.equal(Batch({"input_ids": tokens, "labels": other}).targets, other))

    def test_padding_does_not_count(self):
        short = [{"input_ids": x[:2], "labels": y[:2]} for x, y in toy.make_batches()]
        masked = []
        for x, y in toy.make_batches():
            mask = torch.ones_like(x)
            mask[2:] = 0
            masked.append({"input_ids": x, "labels": y, "attention_mask": mask})
        for a, b in zip(*(self.train(like(Causal, self.state), batches, kl=0) for batches in (short, masked))):
            self.assertAlmostEqual(a, b, places=5)
        mv.curvature(like(Causal, self.state), short, self.folder / "short")
        mv.curvature(like(Causal, self.state), masked, self.folder / "masked")
        ours, theirs = (safetensors.read(self.folder / name).tensors for name in ("masked", "short"))
        for name, tensor in theirs.items():
            if name.endswith((".H", ".G")):
                self.assertTrue(torch.allclose(ours[name], tensor, rtol=1e-3, atol=1e-5), name)

    def test_curvature_and_tensor_weights_take_them_too(self):
        batches = toy.make_batches(2)
        mappings = [{"input_ids": x, "labels": y} for x, y in batches]
        own = toy.make_teacher(toy.make_toy()).state_dict()
        del own["head.weight"]
        safetensors.write(self.folder / "r", own)
        mv.curvature(toy.make_toy(), batches, self.folder / "plain")
        plain = mv.tensor_weights([(toy.make_toy(), self.folder / "r", batches)], self.folder / "plain")
        for what, answer in ANSWERS.items():
            with self.subTest(what):
                model = like(Causal, self.state, answer)
                mv.curvature(model, mappings, self.folder / "c")
                self.assertEqual((self.folder / "c").read_bytes(), (self.folder / "plain").read_bytes())
                self.assertEqual(mv.tensor_weights([(model, self.folder / "r", mappings)], self.folder / "c"), plain)

    def test_without_targets(self):
        teacher = toy.make_teacher(toy.make_toy())
        inputs = [x for x, _ in toy.make_batches()]
        self.assertEqual(self.train(toy.make_toy(), inputs, kl=1.0, teacher=teacher),
                         self.train(toy.make_toy(), toy.make_batches(), kl=1.0, teacher=teacher))
        with self.assertRaisesRegex(mv.AttachError, 'kl < 1 needs targets: .inputs, targets., or "labels" in a mapping'):
            self.train(toy.make_toy(), inputs, teacher=teacher)

    def test_answers_that_have_no_logits(self):
        for answer in (None, 3.0, {"scores": torch.zeros(2)}, Answer(None), (), (torch.tensor(1.0),),
                       torch.zeros(2, 3, dtype=torch.int64)):
            with self.assertRaisesRegex(mv.AttachError, r"the model answers with a .*; expected logits \[..., classes\].*"
                                        r"A module around the model whose forward\(\) returns them will do"):
                logits_of(answer)

    def test_a_module_around_the_model(self):
        class Scores(nn.Module):
            """Makes logits of an answer that has another form."""

            def __init__(self, inside):
                super().__init__()
                self.inside = inside

            def forward(self, tokens):
                return self.inside(tokens)["scores"]
        inside = like(Causal, self.state, lambda x: {"scores": x})
        mv.attach(inside, None, 450)
        around = Scores(inside)
        self.assertEqual(mv.distill(around, None, toy.make_batches(), 4, kl=0),
                         self.train(toy.make_toy(), toy.make_batches(), kl=0))
        mv.export(around, self.folder / "x")
        self.assertIn("embed.weight", safetensors.read(self.folder / "x").tensors)

    def test_a_batch_without_targets_changes_nothing(self):
        batches = toy.make_batches(4)
        empty = (batches[0][0], torch.full_like(batches[0][1], PAD))
        for price in ("coder", "loss"):
            for where, with_empty in {"first": [empty] + batches, "last": batches + [empty],
                                      "every second": [b for batch in batches for b in (empty, batch)],
                                      "alone": [empty]}.items():
                with self.subTest(where, price=price):
                    model = toy.make_toy()
                    plan = mv.attach(model, None, 450, price=price)
                    latents = [t.latent for t in plan.ternaries + plan.sides]
                    moved = []
                    before = [latent.detach().clone() for latent in latents]

                    def look(progress):
                        moved.append(max(float((a.abs() - b.abs()).max()) for a, b in zip(latents, before)))
                        for kept, latent in zip(before, latents):
                            kept.copy_(latent.detach())
                    losses = mv.distill(model, None, with_empty, 2 * len(with_empty), kl=0, report=look)
                    for i, loss in enumerate(losses):
                        if with_empty[i % len(with_empty)] is empty:
                            if price == "coder":
                                self.assertEqual(loss, 0)
                            # The price takes away, but does not add.
                            self.assertLessEqual(moved[i], 0)
                        else:
                            self.assertGreater(moved[i], 0)

    def test_a_loss_that_is_not_a_number_is_told(self):
        model = toy.make_toy()
        plan = mv.attach(model, None, 450)
        optimizer = torch.optim.Adam(plan.parameter_groups())
        inputs = toy.make_batches(1)[0][0]
        with self.assertRaisesRegex(mv.AttachError, "what is trained is no longer finite; was the loss"):
            for _ in range(mv.training.plan.CONTROL_INTERVAL):
                optimizer.zero_grad()
                (model(inputs).mean() * float("nan")).backward()
                optimizer.step()
                plan.step(optimizer)
        with self.assertRaisesRegex(mv.AttachError, "what is trained is no longer finite"):
            mv.export(model, self.folder / "x")


if __name__ == "__main__":
    unittest.main()

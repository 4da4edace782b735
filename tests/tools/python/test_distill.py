"""The loop."""

import unittest
import warnings

import toy
import torch
from torch.nn import functional

import modelvault as mv


class DistillTest(toy.FolderTest):
    def run_once(self, path):
        model = toy.make_toy()
        teacher = toy.make_teacher(model)
        mv.attach(model, None, 450)
        losses = mv.distill(model, teacher, toy.make_batches(), 40)
        mv.export(model, path)
        return losses, path.read_bytes()

    def test_comes_nearer_to_the_teacher(self):
        losses, _ = self.run_once(self.folder / "a")
        self.assertLess(sum(losses[-6:]), 0.97 * sum(losses[:6]))

    def test_the_same_again_gives_the_same_bytes(self):
        self.assertEqual(self.run_once(self.folder / "a"), self.run_once(self.folder / "b"))

    def test_loss_is_cross_entropy_and_divergence(self):
        model = toy.make_toy()
        teacher = toy.make_teacher(model)
        mv.attach(model, None, 450)
        inputs, targets = toy.make_batches(1)[0]
        with torch.no_grad():
            ours, theirs = model(inputs).flatten(0, 1), teacher(inputs).flatten(0, 1).log_softmax(-1)
            text = functional.cross_entropy(ours, targets.flatten())
            kl = functional.kl_div(ours.log_softmax(-1), theirs, log_target=True, reduction="batchmean")
            entropy = -(theirs.exp() * theirs).sum(-1).mean()
        losses = mv.distill(model, teacher, [(inputs, targets)], 1, kl=0.3)
        self.assertAlmostEqual(losses[0], float(0.7 * text + 0.3 * (kl + entropy)), places=4)

    def test_places_without_a_target_do_not_count(self):
        inputs, targets = toy.make_batches(1)[0]
        answers = toy.make_teacher(toy.make_toy())(inputs).detach().softmax(-1)
        short = targets.clone()
        short[:, 9:] = -100
        empty = torch.full_like(targets, -100)
        spoilt = answers.clone()
        spoilt[:, 9:] = float("nan")

        class Short(toy.Toy):
            """Gives the logits of the first nine places."""

            def forward(self, tokens):
                return super().forward(tokens)[:, :9]
        for kl in (0.0, 0.5):
            losses = []
            for kind, batch in ((toy.Toy, (inputs, short, spoilt)), (Short, (inputs, targets[:, :9], answers[:, :9]))):
                model = kind().eval()
                model.load_state_dict(toy.make_toy().state_dict())
                mv.attach(model, None, 450)
                losses.append(mv.distill(model, None, [batch], 3, kl=kl))
            for padded, cut in zip(*losses):
                self.assertAlmostEqual(padded, cut, places=5)
        mv.attach(model := toy.make_toy(), None, 450)
        self.assertEqual(mv.distill(model, None, [(inputs, empty)], 1, kl=0.0), [0.0])

    def test_the_teacher_keeps_its_modes(self):
        model = toy.make_toy()
        teacher = toy.make_teacher(model).train()
        teacher.norm.eval()
        seen = []
        teacher.register_forward_hook(lambda module, *_: seen.append(module.training))
        mv.attach(model, None, 450)
        mv.distill(model, teacher, toy.make_batches(), 1)
        self.assertEqual((seen, teacher.training, teacher.norm.training, teacher.mix.training),
                         ([False], True, False, True))

    def test_probabilities_in_the_batches_are_the_teacher(self):
        def train(with_teacher):
            model = toy.make_toy()
            teacher = toy.make_teacher(model)
            batches = toy.make_batches()
            if not with_teacher:
                with torch.no_grad():
                    batches = [(x, y, teacher(x).softmax(-1)) for x, y in batches]
            mv.attach(model, None, 450)
            return mv.distill(model, teacher if with_teacher else None, batches, 8)
        self.assertEqual(train(True), train(False))

    def test_a_loop_of_ones_own(self):
        model = toy.make_toy()
        plan = mv.attach(model, None, 450)
        optimizer = torch.optim.Adam(plan.parameter_groups())
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 48)
        for inputs, targets in toy.make_batches() * 8:
            loss = functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()) + plan.penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            plan.step(optimizer)
            schedule.step()
        self.assertEqual(plan.steps, 48)
        self.assertLess(abs(self.export_quietly(model).total / 450 - 1), 0.02)

    def test_too_short_a_training_says_so(self):
        model = toy.make_toy()
        plan = mv.attach(model, None, 450)
        with torch.no_grad():
            for t in plan.ternaries:
                t.latent.fill_(1.0)
        with self.assertWarnsRegex(UserWarning, "were dropped to meet budget_bytes: train for more steps"):
            mv.export(model, self.folder / "x")

    def test_a_checkpoint_goes_on_to_the_same_bytes(self):
        def start():
            model = toy.make_toy()
            plan = mv.attach(model, None, 450)
            optimizer = torch.optim.Adam(plan.parameter_groups())
            return model, plan, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 48)

        def steps(model, plan, optimizer, schedule, count):
            for inputs, targets in (toy.make_batches() * 8)[:count]:
                optimizer.zero_grad()
                functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
                optimizer.step()
                plan.step(optimizer)
                schedule.step()
        for look in (lambda *_: None, lambda plan, _: plan.predicted(), lambda _, model: self.export_quietly(model)):
            parts = start()
            steps(*parts, 21)
            look(parts[1], parts[0])
            torch.save(parts[1].state_dict(), self.folder / "plan")
            torch.save([part.state_dict() for part in parts], self.folder / "checkpoint")
            steps(*parts, 27)
            self.export_quietly(parts[0], "a")
            parts = start()
            for part, state in zip(parts, torch.load(self.folder / "checkpoint")):
                part.load_state_dict(state)
            # torch 1.13 takes no optimiser's state so, but it takes ours.
            parts[1].load_state_dict(torch.load(self.folder / "plan", weights_only=True))
            steps(*parts, 27)
            self.export_quietly(parts[0], "b")
            self.assertEqual((self.folder / "a").read_bytes(), (self.folder / "b").read_bytes())

    def export_quietly(self, model, name="x"):
        with warnings.catch_warnings():
            # So short a training may leave it to export() to drop some.
            warnings.simplefilter("ignore")
            return mv.export(model, self.folder / name)

    def test_another_distill_trains_on(self):
        model = toy.make_toy()
        plan = mv.attach(model, None, 450)
        for _ in range(2):
            before = plan.ternaries[0].latent.detach().clone()
            mv.distill(model, toy.make_teacher(toy.make_toy()), toy.make_batches(), 8)
            self.assertGreater(float((plan.ternaries[0].latent - before).abs().max()), 0.1)

    def test_the_optimiser_must_have_the_plan(self):
        plan = mv.attach(toy.make_toy(), None, 450)
        with self.assertRaisesRegex(mv.AttachError, "lacks parameters of the plan"):
            plan.step(torch.optim.Adam(plan.parameter_groups()[:1]))

    def test_errors(self):
        model = toy.make_toy()
        mv.attach(model, None, 450)
        batches = toy.make_batches()
        for pattern, arguments in (("steps must be positive", (None, batches, 0)),
                                   ("kl > 0 needs a teacher", (None, batches, 1)),
                                   ("batches ran out", (None, [], 1)),
                                   ("the teacher answers 1 places, there are 48 targets",
                                    (None, [(*batches[0], torch.full((1, 37), 1 / 37))], 1)),
                                   (r"the model gives logits \[4, 12, 37\] for targets \[4\]",
                                    (None, [(batches[0][0], batches[0][1][:, 0])], 1))):
            with self.subTest(pattern):
                with self.assertRaisesRegex(mv.AttachError, pattern):
                    mv.distill(model, *arguments)


if __name__ == "__main__":
    unittest.main()

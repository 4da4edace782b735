"""What NumPy and PyTorch write goes through mvault and comes back, byte for byte, its tensors known by their names."""

import subprocess
import unittest

import numpy as np
import toy
import torch


def mvault(*arguments):
    return subprocess.run([toy.MVAULT, *map(str, arguments)], check=False, capture_output=True, text=True)


class ArchivesTest(toy.FolderTest):
    def path(self, name):
        return self.folder / name

    def expect_round_trip(self, extension, write, tensors):
        """`write(path, i)` writes model i. `tensors`: lines that info begins with, spaces aside."""
        for i, name in enumerate(("base", "cardiology")):
            write(self.path(name + extension), i)
        vault = self.path("v.mvlt")
        variant = f"cardiology={self.path('cardiology' + extension)}"
        packed = mvault("pack", "--base", self.path("base" + extension), "--variant", variant, "-o", vault)
        self.assertEqual(packed.returncode, 0, packed.stderr)
        self.assertEqual(mvault("verify", vault).returncode, 0)
        for name, argument in (("base", "--base"), ("cardiology", "cardiology")):
            self.assertEqual(mvault("restore", vault, argument, "-o", self.path("restored")).returncode, 0)
            self.assertEqual(self.path("restored").read_bytes(), self.path(name + extension).read_bytes())
        told = [" ".join(line.split()) for line in mvault("info", vault).stdout.splitlines()]
        for tensor in tensors:
            self.assertTrue(any(line.startswith(tensor) for line in told), f"{tensor}: {told}")

    def test_npy(self):
        weights = np.random.default_rng(1).normal(size=(40, 30)).astype(np.float32)
        self.expect_round_trip(".npy", lambda path, i: np.save(path, weights + np.float32(i)), ["array F32 [40, 30]"])

    def test_npz(self):
        weights = np.random.default_rng(2).normal(size=(40, 30))

        def write(path, i):
            arrays = {
                "w": (weights + i).astype(np.float32),
                "layer/b": np.arange(i, i + 9, dtype=np.int8),
                "fortran": np.asfortranarray(weights.astype(np.float16)),
                "complex": weights[0].astype(np.complex64),
                "names": np.array(["one", "two"]),
                "record": np.zeros(3, dtype=[("a", "<f4"), ("b", "u1", (3,))]),
                "naïve": np.float64(i),
            }
            np.savez(path, **arrays)

        tensors = ["w F32 [40, 30]", "layer/b I8 [9]", "fortran F16 [30, 40]", "complex <c8 [30]", "names <U3 [2]",
                   "record struct [3]", "naïve F64 []"]
        self.expect_round_trip(".npz", write, tensors)

    def test_compressed_npz(self):
        weights = np.zeros((40, 30))
        self.expect_round_trip(".npz", lambda path, i: np.savez_compressed(path, w=weights + i), [])

    def test_objects_are_refused(self):
        np.save(self.path("o.npy"), np.array([{}, None]), allow_pickle=True)
        run = mvault("pack", "--base", self.path("o.npy"), "--variant", f"v={self.path('o.npy')}", "-o", self.path("v"))
        self.assertEqual(run.returncode, 3)
        self.assertIn("objects are pickled", run.stderr)

    @staticmethod
    def module(seed):
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(24, 16), torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm1d(5))

    def test_state_dict(self):
        def write(path, i):
            state = self.module(i).state_dict()
            state["tied"] = state["0.weight"].t()
            state["bf"] = torch.full((3, 2), i, dtype=torch.bfloat16)
            state["part"] = torch.arange(10 + i)[2:4]
            torch.save(state, path)

        tensors = ["0.weight F32 [16, 24]", "1.weight F32 [4, 3, 3, 3]", "2.num_batches_tracked I64 []",
                   "bf BF16 [3, 2]"]
        self.expect_round_trip(".pt", write, tensors)

    def test_checkpoint_with_an_optimizer(self):
        def write(path, i):
            module = self.module(i)
            optimizer = torch.optim.Adam(module.parameters())
            sum(p.square().sum() for p in module.parameters()).backward()
            optimizer.step()
            torch.save({"model": module.state_dict(), "optimizer": optimizer.state_dict(), "epoch": i}, path)

        self.expect_round_trip(".pt", write, ["0.weight F32 [16, 24]", "exp_avg F32 [16, 24]"])

    def test_module_and_script(self):
        self.expect_round_trip(".pt", lambda path, i: torch.save(self.module(i), path), ["weight F32 [16, 24]"])
        self.expect_round_trip(".pt", lambda path, i: torch.jit.script(self.module(i)).save(str(path)),
                               ["weight F32 [16, 24]"])

    def test_files_of_the_time_before_archives_are_refused(self):
        torch.save(self.module(0).state_dict(), self.path("old.pt"), _use_new_zipfile_serialization=False)
        old = self.path("old.pt")
        run = mvault("pack", "--base", old, "--variant", f"v={old}", "-o", self.path("v"))
        self.assertEqual(run.returncode, 3)
        self.assertIn("a PyTorch file of the time before 1.6", run.stderr)


if __name__ == "__main__":
    unittest.main()

"""Files come back whole or not at all; progress is told."""

import os
import stat
import unittest

import vaults

import modelvault


class Stopped(Exception):
    """What a progress function raises."""


class SavingTest(vaults.VaultTest):
    def setUp(self):
        self.vault = modelvault.Vault(self.path)
        self.addCleanup(self.vault.close)
        self.out = self.folder / "out.safetensors"
        self.out.unlink(missing_ok=True)
        self.before = set(os.listdir(self.folder))

    def packed(self, name):
        return (self.folder / f"{name}.safetensors").read_bytes()

    def test_the_file_that_was_packed(self):
        for name in self.models:
            for path in (self.out, str(self.out)):
                self.assertIsNone(self.vault[name].save(path))
                self.assertEqual(self.out.read_bytes(), self.packed(name))
        self.assertEqual(set(os.listdir(self.folder)), self.before | {self.out.name})

    def test_a_file_is_replaced(self):
        self.out.write_text("old")
        self.out.chmod(0o640)
        self.vault["alpha"].save(self.out)
        self.assertEqual(self.out.read_bytes(), self.packed("alpha"))
        self.assertEqual(stat.S_IMODE(self.out.stat().st_mode), 0o640)

    def test_where_none_can_be(self):
        model = self.vault["alpha"]
        nowhere = self.folder / "no" / "x"
        with self.assertRaises(modelvault.FileMissing) as caught:
            model.save(nowhere)
        self.assertEqual((caught.exception.path, caught.exception.variant), (str(nowhere), "alpha"))
        for path in (self.folder, self.path, f"{self.out}\0x"):
            self.assertRaises(modelvault.InvalidArgument, model.save, path)
        self.assertEqual(set(os.listdir(self.folder)), self.before)

    def test_a_damaged_model_leaves_what_is_there(self):
        data = bytearray(self.path.read_bytes())
        whole, found = bytes(data), 0
        self.out.write_text("old")
        for place in range(0, len(data), 101):
            data[:] = whole
            data[place] ^= 0x10
            try:
                vault = modelvault.Vault(data)
                vault["alpha"].save(self.out)
            except (modelvault.Damaged, modelvault.Unsupported):
                found += 1
                self.assertEqual(self.out.read_text(), "old")
            else:
                self.assertEqual(self.out.read_bytes(), self.packed("alpha"))
                self.out.write_text("old")
            finally:
                vault = None
            self.assertEqual(set(os.listdir(self.folder)), self.before | {self.out.name})
        self.assertGreater(found, 5)

    def test_progress(self):
        model = self.vault["alpha"]
        for use, total in ((lambda report: model.save(self.out, report), model.file_size),
                           (model.verify, model.data_size)):
            told = []
            use(lambda done, of, told=told: told.append((done, of)))
            self.assertEqual(told[-1], (total, total))
            self.assertEqual(told, sorted(told))
            self.assertEqual({of for _, of in told}, {total})
        told = []
        self.vault.verify(progress=lambda done, of: told.append((done, of)))
        self.assertEqual(told, [(1, 3), (2, 3), (3, 3)])

    def test_progress_of_tensors(self):
        model = self.vault["alpha"]
        for names in (None, ["of.I8", "layer.weight", "scalar"]):
            told = []
            sizes = [array.nbytes for _, array in model.tensors(names, progress=lambda *a, told=told: told.append(a))]
            self.assertEqual(told[-1], (sum(sizes), sum(sizes)))
            self.assertEqual(told, sorted(told))

    def test_what_progress_raises_ends_the_call(self):
        def stop(done, total):
            raise Stopped(done, total)
        model = self.vault["alpha"]
        self.out.write_text("old")
        for use in (lambda: model.save(self.out, stop), lambda: model.verify(stop), lambda: self.vault.verify(stop),
                    lambda: list(model.tensors(progress=stop))):
            with self.assertRaises(Stopped):
                use()
        self.assertEqual(self.out.read_text(), "old")
        self.assertEqual(set(os.listdir(self.folder)), self.before | {self.out.name})

        def interrupt(done, total):
            raise KeyboardInterrupt
        self.assertRaises(KeyboardInterrupt, model.verify, interrupt)

    def test_a_progress_function_may_read(self):
        model = self.vault["alpha"]
        model.verify(lambda done, total: self.assert_tensor(model["of.I8"], self.models["alpha"]["of.I8"]))


if __name__ == "__main__":
    unittest.main()

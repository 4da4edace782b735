"""Vaults in files, in memory, and in file-like objects; what is read of them, and how long they are kept."""

import gc
import io
import os
import pathlib
import threading
import time
import unittest
import weakref

import numpy
import vaults

import modelvault


class CountedFile(io.BytesIO):
    """Notes what is read of it."""

    def __init__(self, data):
        super().__init__(data)
        self.reads = []

    def read(self, size=-1):
        data = super().read(size)
        if data:
            self.reads.append(len(data))
        return data


class ShortFile(io.BytesIO):
    """Gives a few bytes a call, as a pipe may."""

    def read(self, size=-1):
        return super().read(min(size, 100))


class FaultyFile(io.BytesIO):
    """Raises `error` from the given read on, as long as it is set."""
    error = None

    def read(self, size=-1):
        if self.error is not None and size:
            raise self.error
        return super().read(size)


def open_descriptors():
    return {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}


class SourcesTest(vaults.VaultTest):
    def assert_reads(self, vault):
        for name, tensors in self.models.items():
            for key, array in vault[name].tensors():
                self.assert_tensor(array, tensors[key], f"{name}: {key}")

    def test_paths(self):
        for path in (str(self.path), self.path, pathlib.PurePath(self.path)):
            with modelvault.Vault(path) as vault:
                self.assertEqual(vault.path, str(self.path))
                self.assert_reads(vault)

    def test_a_path_that_is_no_utf_8(self):
        path = os.fsencode(self.folder) + b"/\xff.mvlt"
        with open(path, "wb") as file:
            file.write(self.path.read_bytes())
        with modelvault.Vault(os.fsdecode(path)) as vault:
            self.assertEqual(os.fsencode(vault.path), path)
            self.assert_reads(vault)
            with self.assertRaisesRegex(modelvault.NotFound, r"\\xff\.mvlt: no variant 'x'") as caught:
                vault["x"]  # pylint: disable=pointless-statement
            self.assertEqual(os.fsencode(caught.exception.path), path)

    def test_memory(self):
        data = self.path.read_bytes()
        for source in (data, bytearray(data), memoryview(data), numpy.frombuffer(data, numpy.uint8)):
            with modelvault.Vault(source) as vault:
                self.assertEqual(vault.path, "memory")
                self.assert_reads(vault)
        self.assertEqual(modelvault.Vault(data, name="rom").path, "rom")

    def test_memory_is_kept(self):
        source = numpy.frombuffer(bytearray(self.path.read_bytes()), numpy.uint8)
        kept = weakref.ref(source)
        vault = modelvault.Vault(source)
        model = vault["alpha"]
        vault.close()
        del vault, source
        gc.collect()
        self.assertIsNotNone(kept())
        self.assert_tensor(model["of.F32"], self.models["alpha"]["of.F32"])
        del model
        self.assertIsNone(kept())

    def test_memory_that_is_lent_cannot_be_resized(self):
        source = bytearray(self.path.read_bytes())
        vault = modelvault.Vault(source)
        with self.assertRaises(BufferError):
            source.append(0)
        vault.close()
        source.append(0)

    def test_file_objects(self):
        data = self.path.read_bytes()
        with open(self.path, "rb") as buffered, open(self.path, "rb", buffering=0) as raw:
            for source, name in ((io.BytesIO(data), "source"), (ShortFile(data), "source"), (buffered, str(self.path)),
                                 (raw, str(self.path))):
                source.seek(17)
                with modelvault.Vault(source) as vault:
                    self.assertEqual(vault.path, name)
                    self.assert_reads(vault)
                self.assertFalse(source.closed)
        self.assertEqual(modelvault.Vault(io.BytesIO(data), name="rom").path, "rom")

    def test_file_objects_are_let_go_with_the_last_that_reads_them(self):
        source = io.BytesIO(self.path.read_bytes())
        kept = weakref.ref(source)
        vault = modelvault.Vault(source)
        model = vault["alpha"]
        del source
        vault.close()
        self.assertIsNotNone(kept())
        self.assert_tensor(model["of.F32"], self.models["alpha"]["of.F32"])
        gc.disable()
        self.addCleanup(gc.enable)
        del model
        self.assertIsNone(kept())

    def test_no_other_objects(self):
        for source in (None, 7, 2.5, ["x"], io.StringIO("MVLT"), numpy.zeros((4, 4))[:, ::2]):
            with self.assertRaises(TypeError):
                modelvault.Vault(source)

    def test_opening_and_one_tensor_read_little(self):
        random = numpy.random.default_rng(3)
        folder = self.folder / "large"
        folder.mkdir()
        base = {f"t{i}": vaults.random_tensor(random, "I8", (1024, 1024)) for i in range(12)}
        path = vaults.pack(folder, base, {"same": base})
        self.assertGreater(path.stat().st_size, 12 << 20)
        source = CountedFile(path.read_bytes())
        vault = modelvault.Vault(source)
        self.assertLessEqual(len(source.reads), 2)
        self.assertLess(sum(source.reads), 1 << 17)
        self.assertEqual(vault.names, ["same"])
        model = vault["same"]
        self.assertLessEqual(len(source.reads), 2)
        model.info("t5")
        source.reads.clear()
        array = model["t5"]
        self.assertTrue(numpy.array_equal(array, base["t5"].array))
        # Its bytes, and a chunk that it shares with another.
        self.assertLess(sum(source.reads), 1.05 * array.nbytes + (1 << 16))
        source.reads.clear()
        for key, array in model.tensors(["t1", "t9"]):
            self.assertTrue(numpy.array_equal(array, base[key].array))
        self.assertLess(sum(source.reads), 2 * (1.05 * array.nbytes + (1 << 16)))

    def test_what_an_object_raises_is_the_cause(self):
        source = FaultyFile(self.path.read_bytes())
        vault = modelvault.Vault(source, name="tape")
        model = vault["alpha"]
        source.error = ConnectionError("unplugged")
        with self.assertRaisesRegex(modelvault.Storage, "^tape: .*: ConnectionError: unplugged$") as caught:
            dict(model.tensors())
        self.assertIs(caught.exception.__cause__, source.error)
        self.assertIsInstance(caught.exception, OSError)
        self.assertEqual((caught.exception.path, caught.exception.variant), ("tape", "alpha"))
        self.assertIsNotNone(caught.exception.offset)
        with self.assertRaisesRegex(modelvault.Storage, "unplugged"):
            modelvault.Vault(source)
        source.error = None
        self.assert_reads(vault)

    def test_an_interrupt_in_an_object_is_one(self):
        source = FaultyFile(self.path.read_bytes())
        vault = modelvault.Vault(source)
        source.error = KeyboardInterrupt()
        with self.assertRaises(KeyboardInterrupt):
            dict(vault["alpha"].tensors())

    def test_objects_that_lie(self):
        class Longer(io.BytesIO):
            def read(self, size=-1):
                return super().read(size) + (b"more" if size else b"")

        class Ending(io.BytesIO):
            def read(self, size=-1):
                return b""

        data = self.path.read_bytes()
        with self.assertRaisesRegex(modelvault.Storage, r"ValueError: read\(\d+\) returned \d+ bytes"):
            modelvault.Vault(Longer(data))
        with self.assertRaisesRegex(modelvault.Storage, "ends there"):
            modelvault.Vault(Ending(data))

    @unittest.skipUnless(os.path.isdir("/proc/self/fd"), "needs /proc")
    def test_a_file_is_closed_with_the_last_that_reads_it(self):
        vault = modelvault.Vault(self.path)
        model = vault["alpha"]
        path = os.path.realpath(self.path)
        vault.close()
        vault.close()
        self.assertTrue(vault.closed)
        self.assertIn(path, open_descriptors())
        self.assert_tensor(model["of.F32"], self.models["alpha"]["of.F32"])
        del model
        self.assertNotIn(path, open_descriptors())
        with modelvault.Vault(self.path) as vault:
            vault["alpha"].verify()
            vault.base.verify()
            self.assertIn(path, open_descriptors())
        self.assertNotIn(path, open_descriptors())

    def test_a_closed_vault_says_so(self):
        vault = modelvault.Vault(self.path)
        vault.close()
        for use in (lambda: vault["alpha"], lambda: vault.base, lambda: vault.names, lambda: len(vault),
                    lambda: list(vault), lambda: "alpha" in vault, vault.verify):
            with self.assertRaisesRegex(modelvault.InvalidArgument, "the vault is closed"):
                use()
        self.assertEqual(repr(vault), f"<modelvault.Vault '{self.path}', closed>")


class ThreadsTest(vaults.VaultTest):
    def run_threads(self, count, work):
        failures = []

        def run(number):
            try:
                work(number)
            except BaseException as error:  # pylint: disable=broad-except
                failures.append(error)
        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_one_vault_for_all(self):
        for source in (self.path, io.BytesIO(self.path.read_bytes())):
            vault = modelvault.Vault(source)
            names = list(self.models)

            def read(number, vault=vault):
                for turn in range(6):
                    name = names[(number + turn) % len(names)]
                    for key, array in vault[name].tensors():
                        self.assert_tensor(array, self.models[name][key], f"{name}: {key}")
                    self.assert_tensor(vault[name]["layer.weight"], self.models[name]["layer.weight"])
            self.run_threads(8, read)

    def test_a_file_object_serves_one_thread_at_a_time(self):
        class Watched(io.BytesIO):
            reader = None

            def seek(self, offset, whence=0):
                self.reader = threading.get_ident()
                time.sleep(0)  # Others may come.
                return super().seek(offset, whence)

            def read(self, size=-1):
                if size and self.reader != threading.get_ident():
                    raise AssertionError("another thread's seek() came between")
                return super().read(size)

        vault = modelvault.Vault(Watched(self.path.read_bytes()))
        self.run_threads(8, lambda _: [vault[name].verify() for name in 10 * ("alpha", "beta")])

    def test_closing_while_others_read(self):
        data = self.path.read_bytes()
        for turn in range(30):
            vault = modelvault.Vault(io.BytesIO(data))
            start = threading.Barrier(4)

            def use(number, vault=vault, start=start):
                start.wait()
                if number == 0:
                    vault.close()
                    return
                try:
                    vault.verify()
                    self.assert_tensor(vault["alpha"]["of.I64"], self.models["alpha"]["of.I64"], turn)
                except modelvault.InvalidArgument as error:
                    self.assertIn("the vault is closed", str(error))
            self.run_threads(4, use)

    def test_others_run_during_a_call(self):
        """A source that waits for another thread would wait for ever if calls kept the interpreter's lock."""
        asked, answered = threading.Event(), threading.Event()

        class Waiting(io.BytesIO):
            waits = False

            def read(self, size=-1):
                if self.waits:
                    asked.set()
                    answered.wait()
                return super().read(size)

        source = Waiting(self.path.read_bytes())
        vault = modelvault.Vault(source)
        source.waits = True
        other = modelvault.Vault(self.path)

        def run(number):
            if number == 0:
                self.assert_tensor(vault["alpha"]["of.F32"], self.models["alpha"]["of.F32"])
                return
            asked.wait()
            self.assert_tensor(other["beta"]["of.F32"], self.models["beta"]["of.F32"])
            answered.set()
        self.run_threads(2, run)


if __name__ == "__main__":
    unittest.main()

"""What goes wrong is an exception of one family, which says where."""

import pickle
import unittest

import numpy
import vaults

import modelvault

DAMAGE = (modelvault.Damaged, modelvault.Unsupported)


class FamilyTest(unittest.TestCase):
    def test_what_callers_may_catch(self):
        for kind, others in ((modelvault.InvalidArgument, ValueError), (modelvault.NotFound, KeyError),
                             (modelvault.FileMissing, (modelvault.NotFound, FileNotFoundError)),
                             (modelvault.Damaged, ()), (modelvault.Unsupported, ()), (modelvault.Storage, OSError),
                             (modelvault.OutOfMemory, MemoryError), (modelvault.Cancelled, ()),
                             (modelvault.NotSynced, modelvault.Storage), (modelvault.Internal, ()),
                             (modelvault.AlreadyExists, FileExistsError), (modelvault.Refused, PermissionError),
                             *((kind, (modelvault.Refused, PermissionError))
                               for kind in (modelvault.Sealed, modelvault.Untrusted, modelvault.RolledBack,
                                            modelvault.Expired, modelvault.Revoked)),
                             (modelvault.LibraryMissing, ImportError)):
            error = kind("it's wrong", path="p", variant="v", tensor="t", offset=1, data_offset=2)
            for other in (modelvault.VaultError, *(others if isinstance(others, tuple) else (others,))):
                self.assertIsInstance(error, other)
            self.assertEqual(str(error), "it's wrong")
            back = pickle.loads(pickle.dumps(error))
            for each in (error, back):
                self.assertIs(type(each), kind)
                self.assertEqual((str(each), each.path, each.variant, each.tensor, each.offset, each.data_offset),
                                 ("it's wrong", "p", "v", "t", 1, 2))


class ErrorsTest(vaults.VaultTest):
    def setUp(self):
        self.vault = modelvault.Vault(self.path)
        self.addCleanup(self.vault.close)

    def assert_fails(self, kind, pattern, use, **expected):
        with self.assertRaisesRegex(kind, pattern) as caught:
            use()
        self.assertIs(type(caught.exception), kind)
        for field, value in expected.items():
            self.assertEqual(getattr(caught.exception, field), value, field)

    def test_no_such_name(self):
        path = str(self.path)
        self.assert_fails(modelvault.NotFound, "no variant 'alpa'", lambda: self.vault["alpa"], path=path,
                          variant="alpa", tensor=None, offset=None, data_offset=None)
        model = self.vault["alpha"]
        for use in (lambda: model["of.F33"], lambda: model.info("of.F33"), lambda: model.torch(["of.F33"])):
            self.assert_fails(modelvault.NotFound, "'alpha' has no tensor 'of.F33'", use, path=path, variant="alpha",
                              tensor="of.F33")

    def test_names_that_none_can_have(self):
        model = self.vault["alpha"]
        for name in ("alpha\0", "\0", "\ud800"):
            self.assert_fails(modelvault.NotFound, "no variant is called", lambda name=name: self.vault[name])
            self.assert_fails(modelvault.NotFound, "no tensor is called", lambda name=name: model[name])
        for name in (3, None, b"alpha"):
            self.assertRaises(TypeError, lambda name=name: self.vault[name])
            self.assertRaises(TypeError, lambda name=name: model[name])

    def test_files(self):
        missing = str(self.folder / "none.mvlt")
        self.assert_fails(modelvault.FileMissing, missing, lambda: modelvault.Vault(missing), path=missing, errno=2,
                          filename=missing)
        self.assert_fails(modelvault.InvalidArgument, "directory", lambda: modelvault.Vault(self.folder))
        self.assert_fails(modelvault.InvalidArgument, "NUL", lambda: modelvault.Vault(f"{self.path}\0x"))

    def test_no_vault(self):
        for data in (b"", b"MVLT", b"x" * 1000, bytes(1000)):
            self.assert_fails(modelvault.Damaged, "^rom: ", lambda data=data: modelvault.Vault(data, name="rom"),
                              path="rom")

    def test_any_damage_is_found_and_placed(self):
        """One bit in every byte, one after the other."""
        sound = self.path.read_bytes()
        expected = {(name, key): tensor.array.tobytes() for name, tensors in self.models.items()
                    for key, tensor in tensors.items()}
        placed = 0
        for place in range(len(sound)):
            data = bytearray(sound)
            data[place] ^= 1 << place % 8
            try:
                vault = modelvault.Vault(data)
            except DAMAGE:
                continue
            with self.assertRaises(DAMAGE, msg=place) as caught:
                vault.verify()
            if caught.exception.offset is not None:
                placed += 1
                self.assertLessEqual(caught.exception.offset, place)
            if place % 16 == 0:
                self.check_tensors(vault, expected)
        self.assertGreater(placed, len(sound) // 4)

    def check_tensors(self, vault, expected):
        """Each is right, or told to be damaged."""
        for (name, key), data in expected.items():
            try:
                self.assertEqual(vault[name][key].tobytes(), data)
            except DAMAGE as error:
                self.assertEqual((error.variant, error.tensor), (name, key))

    def test_damage_names_model_tensor_and_place(self):
        random = numpy.random.default_rng(9)
        folder = self.folder / "noise"
        folder.mkdir()
        base = {key: vaults.random_tensor(random, "I8", (256, 1024)) for key in "abcdef"}
        path = vaults.pack(folder, base, {"same": base})
        data = bytearray(path.read_bytes())
        # Random weights are stored as they are.
        place = data.find(base["d"].array.tobytes()[:64])
        self.assertGreater(place, 0)
        data[place + 5000] ^= 1
        vault = modelvault.Vault(data)
        with self.assertRaises(modelvault.Damaged) as caught:
            vault.base.verify()
        error = caught.exception
        self.assertEqual((error.path, error.variant), ("memory", "base"))
        self.assertTrue(error.offset <= place + 5000 < error.offset + (2 << 20), error.offset)
        self.assertLessEqual(error.data_offset, vault.base.info("d").offset + 5000)
        self.assertIn(error.tensor, base)
        with self.assertRaises(modelvault.Damaged) as caught:
            vault.base["d"]  # pylint: disable=expression-not-assigned
        self.assertEqual(caught.exception.tensor, "d")
        with self.assertRaises(modelvault.Damaged):
            dict(vault.base.tensors())

    def test_every_truncation(self):
        sound = self.path.read_bytes()
        for size in range(0, len(sound), 37):
            self.assertRaises(DAMAGE, modelvault.Vault, sound[:size])


if __name__ == "__main__":
    unittest.main()

"""Every tensor comes back as the array that was packed."""

import pickle
import subprocess
import unittest
from unittest import mock

import numpy
import vaults

import modelvault
from modelvault.reader import model as reader_model


class ReadingTest(vaults.VaultTest):
    def setUp(self):
        self.vault = modelvault.Vault(self.path)
        self.addCleanup(self.vault.close)

    def test_a_vault_is_a_container_of_names(self):
        self.assertEqual(self.vault.names, ["alpha", "beta"])
        self.assertEqual(list(self.vault), ["alpha", "beta"])
        self.assertEqual(len(self.vault), 2)
        self.assertIn("alpha", self.vault)
        for name in ("base", "gamma", "", 7):
            self.assertNotIn(name, self.vault)
        self.assertEqual(self.vault.path, str(self.path))
        self.assertEqual(repr(self.vault), f"<modelvault.Vault '{self.path}', 2 variants>")

    def test_a_list_of_names_is_the_callers(self):
        self.vault.names.clear()
        self.vault["alpha"].names.clear()
        self.assertEqual((len(self.vault), len(self.vault["alpha"])), (2, len(self.models["alpha"])))

    def test_what_is_known_of_a_model(self):
        listed = {v["name"]: v for v in vaults.listing(self.path)["variants"]}
        for name in ("alpha", "beta"):
            model = self.vault[name]
            file = self.folder / f"{name}.safetensors"
            self.assertEqual((model.name, model.is_base), (name, False))
            self.assertEqual(model.file_size, file.stat().st_size)
            self.assertEqual(model.data_size, sum(t.array.nbytes for t in self.models[name].values()))
            self.assertEqual(model.stored_size, listed[name]["stored_bytes"])
            self.assertEqual(repr(model), f"<modelvault.Model '{name}' of '{self.path}'>")
            self.assertRegex(model.digests.xxh3_128, "^[0-9a-f]{32}$")
            self.assertRegex(model.digests.xxh64, "^[0-9a-f]{16}$")
        self.assertNotEqual(self.vault["alpha"].digests, self.vault["beta"].digests)
        self.assertEqual((self.vault.base.name, self.vault.base.is_base), ("base", True))

    def test_digests_are_those_that_mvault_prints(self):
        done = subprocess.run([vaults.MVAULT, "checksums", self.path], stdout=subprocess.PIPE, check=True)
        printed = done.stdout.decode()
        for name in ("base", "alpha", "beta"):
            self.assertTrue(any(digest in printed for digest in self.vault[name].digests), printed)

    def test_every_tensor_of_every_model(self):
        for name, tensors in self.models.items():
            model = self.vault[name]
            self.assertEqual(model.names, list(tensors))
            self.assertEqual(list(model), list(tensors))
            self.assertEqual(len(model), len(tensors))
            for key, tensor in tensors.items():
                self.assertIn(key, model)
                self.assert_tensor(model[key], tensor, f"{name}: {key}")
            self.assertNotIn("no.such", model)

    def test_all_in_one_go(self):
        for name, tensors in self.models.items():
            read = list(self.vault[name].tensors())
            self.assertEqual([key for key, _ in read], list(tensors))
            for key, array in read:
                self.assert_tensor(array, tensors[key], f"{name}: {key}")

    def test_any_division_into_runs(self):
        for size in (0, 1, 13, 200, 3072, 3073, 4000):
            with mock.patch.object(reader_model, "_RUN", size):
                for key, array in self.vault["beta"].tensors():
                    self.assert_tensor(array, self.models["beta"][key], f"{size}: {key}")

    def test_some_of_them(self):
        model = self.vault["alpha"]
        read = dict(model.tensors(["scalar", "of.I8", "layer.weight", "of.I8", "empty"]))
        self.assertEqual(list(read), ["layer.weight", "of.I8", "empty", "scalar"])
        for key, array in read.items():
            self.assert_tensor(array, self.models["alpha"][key], key)
        self.assertEqual(list(model.tensors([])), [])
        with self.assertRaises(modelvault.NotFound):
            list(model.tensors(["scalar", "scaler"]))
        with self.assertRaises(TypeError):
            list(model.tensors("scalar"))

    def test_arrays_are_the_callers(self):
        model = self.vault["alpha"]
        model["of.I32"][:] = 7
        dict(model.tensors())["of.I32"][:] = 7
        self.assert_tensor(model["of.I32"], self.models["alpha"]["of.I32"])

    def test_info(self):
        model = self.vault["alpha"]
        at = 0
        for key, tensor in self.models["alpha"].items():
            info = model.info(key)
            self.assertEqual((info.name, info.dtype, info.shape), (key, tensor.dtype, tensor.shape))
            self.assertEqual((info.offset, info.size), (at, tensor.array.nbytes), key)
            self.assertEqual((info.array_dtype, info.array_shape), (tensor.array.dtype, tensor.array.shape), key)
            at += info.size
        self.assertEqual([model.info(f"of.{dtype}").element_bits for dtype in ("F4", "I8", "BF16", "C64")],
                         [4, 8, 16, 64])

    def test_bytes(self):
        model = self.vault["alpha"]
        data = b"".join(tensor.array.tobytes() for tensor in self.models["alpha"].values())
        self.assertEqual(model.data_size, len(data))
        for offset, length in ((0, len(data)), (0, 0), (len(data), 0), (1, 1), (3000, 400), (len(data) - 1, 1)):
            self.assertEqual(model.bytes(offset, length), data[offset:offset + length])
        self.assertIs(type(model.bytes(0, 1)), bytes)
        for offset, length in ((0, len(data) + 1), (len(data), 1), (-1, 1), (1, -1), (2**64, 1), (1, 2**64 - 1)):
            with self.assertRaisesRegex(modelvault.InvalidArgument, f"'alpha': {length} bytes at offset {offset} do"):
                model.bytes(offset, length)

    def test_the_same_model_is_opened_once(self):
        self.assertIs(self.vault["alpha"], self.vault["alpha"])
        self.assertIsNot(self.vault["alpha"], self.vault["beta"])

    def test_sound_ones_are_verified(self):
        self.vault.verify()
        for name in self.models:
            self.vault[name].verify()

    def test_several_threads_of_the_library(self):
        vault = modelvault.Vault(self.path, threads=-1)
        for key, array in vault["alpha"].tensors():
            self.assert_tensor(array, self.models["alpha"][key], key)
        with self.assertRaises(modelvault.InvalidArgument):
            modelvault.Vault(self.path, threads=-2)

    def test_they_stay_in_their_process(self):
        for each in (self.vault, self.vault["alpha"]):
            with self.assertRaises((TypeError, ValueError)):
                pickle.dumps(each)

    def test_bfloat16(self):
        values = numpy.array([[0, 1, -2.5, 3.140625], [numpy.inf, -0.0, 2.0**-133, 2.0**127]], numpy.float32)
        bits = (values.view(numpy.uint32) >> 16).astype(numpy.uint16)
        back = modelvault.float32_of_bfloat16(bits)
        self.assertEqual((back.dtype, back.tobytes()), (numpy.float32, values.tobytes()))
        scalar = modelvault.float32_of_bfloat16(self.vault["alpha"]["scalar.BF16"])
        self.assertEqual((scalar.shape, scalar.dtype), ((), numpy.float32))
        with self.assertRaises(TypeError):
            modelvault.float32_of_bfloat16(values)


class ModelsTest(vaults.FolderTest):
    def test_a_variant_that_equals_the_base(self):
        base = vaults.make_base()
        vault = modelvault.Vault(vaults.pack(self.folder, base, {"same": dict(base)}))
        self.assertEqual(vault["same"].stored_size, 0)
        self.assertEqual(vault["same"]["of.F32"].tobytes(), base["of.F32"].array.tobytes())

    def test_names_of_any_script(self):
        base = {"größe.重み": vaults.random_tensor(numpy.random.default_rng(1), "F32", (2, 2))}
        vault = modelvault.Vault(vaults.pack(self.folder, base, {"radiologie-é": dict(base)}))
        self.assertEqual(vault.names, ["radiologie-é"])
        self.assertEqual(vault["radiologie-é"].names, ["größe.重み"])
        self.assertEqual(vault["radiologie-é"]["größe.重み"].tobytes(), base["größe.重み"].array.tobytes())

    def test_a_model_larger_than_a_run(self):
        random = numpy.random.default_rng(5)
        base = {f"t{i}": vaults.random_tensor(random, "I8", (2000, 1000)) for i in range(5)}
        base["big"] = vaults.random_tensor(random, "I8", (17, 1 << 20))
        vault = modelvault.Vault(vaults.pack(self.folder, base, {"same": base}))
        for key, array in vault.base.tensors():
            self.assertTrue(numpy.array_equal(array, base[key].array), key)

    def test_what_numpy_has_no_room_for(self):
        base = {"many": vaults.Tensor("F32", (1,) * 64, numpy.zeros(1, "<f4")),
                "large": vaults.Tensor("F32", (0, 2**63), numpy.zeros(0, "<f4"))}
        vault = modelvault.Vault(vaults.pack(self.folder, base, {"same": base}))
        if numpy.lib.NumpyVersion(numpy.__version__) < "2.0.0":
            with self.assertRaisesRegex(modelvault.Unsupported, "'base', tensor 'many' of shape") as caught:
                vault.base["many"]  # pylint: disable=expression-not-assigned
            self.assertEqual((caught.exception.variant, caught.exception.tensor), ("base", "many"))
        with self.assertRaisesRegex(modelvault.Unsupported, "'base', tensor 'large'"):
            dict(vault.base.tensors(["large"]))
        self.assertEqual(vault.base.info("large").shape, (0, 2**63))


@unittest.skipUnless(vaults.CORPUS.is_dir(), "there is no corpus")
class CorpusTest(vaults.FolderTest):
    def test_department_models(self):
        files = sorted((vaults.CORPUS / "int8" / "variants").glob("*.safetensors"))[::25]
        base = vaults.CORPUS / "int8" / "base.safetensors"
        vault = self.folder / "corpus.mvlt"
        command = [vaults.MVAULT, "pack", "--base", base, "-o", vault]
        for file in files:
            command += ["--variant", f"{file.stem}={file}"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        with modelvault.Vault(vault) as opened:
            self.assertEqual(opened.names, [file.stem for file in files])
            for file in files:
                expected = vaults.read_safetensors(file)
                self.assertGreater(len(expected), 80)
                read = dict(opened[file.stem].tensors())
                self.assertEqual(list(read), list(expected))
                for key, (dtype, shape, data) in expected.items():
                    self.assertEqual((read[key].dtype, list(read[key].shape)), (vaults.TYPES[dtype], shape))
                    self.assertEqual(read[key].tobytes(), data, key)
                    self.assertEqual(opened[file.stem][key].tobytes(), data, key)


if __name__ == "__main__":
    unittest.main()

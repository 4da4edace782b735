"""Models as tensors of PyTorch, and in its modules."""

import unittest

import numpy
import torch
import vaults
from torch import nn

import modelvault

# Types that a tensor of the test's vault has and some PyTorch lacks, and what the others call them.
SOME_LACK = {"U16": "uint16", "U32": "uint32", "U64": "uint64"}
BITS_WHERE_LACKING = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"}
REAL = {"BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16, "I32": torch.int32,
        "I64": torch.int64, "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64,
        "C64": torch.complex64, "F4": torch.uint8}


def bytes_of(tensor):
    flat = tensor.contiguous().reshape(-1)
    if flat.dtype == torch.bfloat16 or str(flat.dtype).startswith("torch.float8"):
        flat = flat.view({1: torch.uint8, 2: torch.int16}[flat.element_size()])
    return flat.numpy().tobytes()


class TorchTest(vaults.VaultTest):
    def setUp(self):
        self.vault = modelvault.Vault(self.path)
        self.addCleanup(self.vault.close)

    def names(self):
        """Those of types that this PyTorch has."""
        return [key for key, tensor in self.models["base"].items()
                if tensor.dtype not in SOME_LACK or hasattr(torch, SOME_LACK[tensor.dtype])]

    def test_every_tensor(self):
        for name, tensors in self.models.items():
            read = self.vault[name].torch(self.names())
            self.assertEqual(list(read), self.names())
            for key, tensor in read.items():
                packed = tensors[key]
                lacking = BITS_WHERE_LACKING.get(packed.dtype, SOME_LACK.get(packed.dtype))
                expected = getattr(torch, lacking, torch.uint8) if lacking else REAL[packed.dtype]
                self.assertEqual(tensor.dtype, expected, key)
                self.assertEqual(tuple(tensor.shape), packed.array.shape, key)
                self.assertEqual(bytes_of(tensor), packed.array.tobytes(), key)

    def test_tensors_are_the_callers(self):
        model = self.vault["alpha"]
        model.torch(["of.F32"])["of.F32"].zero_()
        self.assertEqual(bytes_of(model.torch(["of.F32"])["of.F32"]), self.models["alpha"]["of.F32"].array.tobytes())

    def test_values_of_bfloat16(self):
        bits = self.models["alpha"]["of.BF16"].array
        values = self.vault["alpha"].torch(["of.BF16"])["of.BF16"].to(torch.float32).numpy()
        numpy.testing.assert_array_equal(values, modelvault.float32_of_bfloat16(bits))

    @unittest.skipIf(hasattr(torch, "uint16"), "this PyTorch has it")
    def test_types_that_this_pytorch_lacks(self):
        with self.assertRaisesRegex(modelvault.Unsupported, "'alpha', tensor 'of.U16': PyTorch .* has no type for U16"):
            self.vault["alpha"].torch()

    def test_progress(self):
        told = []
        self.vault["alpha"].torch(self.names(), lambda done, total: told.append((done, total)))
        self.assertEqual(told[-1], (sum(self.vault["alpha"].info(key).size for key in self.names()),) * 2)


class LoadStateDictTest(vaults.FolderTest):
    def pack(self, steps=None, **others):
        random = numpy.random.default_rng(4)
        self.weights = random.integers(-127, 128, (3, 5)).astype(numpy.int8)
        self.steps = numpy.array([0.5, 0.25, 2], numpy.float32) if steps is None else steps
        self.bias = random.random(3, dtype=numpy.float32)
        tensors = {"weight": vaults.Tensor("I8", (3, 5), self.weights),
                   "weight.scale": vaults.Tensor("F32", self.steps.shape, self.steps),
                   "bias": vaults.Tensor("F32", (3,), self.bias)}
        tensors.update(others)
        other = {**tensors, "weight": vaults.Tensor("I8", (3, 5), -self.weights)}
        return modelvault.Vault(vaults.pack(self.folder, tensors, {"other": other}))

    def test_floats_are_weights_times_steps(self):
        for dtype in (torch.float32, torch.float64):
            vault = self.pack()
            module = nn.Linear(5, 3).to(dtype)
            answer = vault["other"].load_state_dict(module)
            self.assertEqual((answer.missing_keys, answer.unexpected_keys), ([], []))
            numpy.testing.assert_array_equal(module.weight.detach().numpy(), -self.weights * self.steps[:, None])
            numpy.testing.assert_array_equal(module.bias.detach().numpy(), self.bias)

    def test_steps_that_were_used_are_not_loaded(self):
        class Keeping(nn.Linear):
            def load_state_dict(self, state_dict, strict=True):  # pylint: disable=arguments-differ
                return sorted(state_dict), strict

        self.assertEqual(self.pack().base.load_state_dict(Keeping(5, 3), strict=False), (["bias", "weight"], False))

    def test_one_step_for_all(self):
        for shape in ((), (1,), (1, 1)):
            vault = self.pack(numpy.full(shape, 0.125, numpy.float32))
            module = nn.Linear(5, 3)
            vault.base.load_state_dict(module)
            numpy.testing.assert_array_equal(module.weight.detach().numpy(), self.weights * numpy.float32(0.125))

    def test_a_module_of_int8(self):
        class Integers(nn.Module):
            def __init__(self):
                super().__init__()
                self.bias = nn.Parameter(torch.zeros(3))
                self.register_buffer("weight", torch.zeros(3, 5, dtype=torch.int8))

        module = Integers()
        self.pack().base.load_state_dict(module, strict=False)
        numpy.testing.assert_array_equal(module.weight.numpy(), self.weights)

    def test_what_does_not_match(self):
        vault = self.pack()
        with self.assertRaisesRegex(RuntimeError, "Missing key.*extra"):
            module = nn.Linear(5, 3)
            module.extra = nn.Parameter(torch.zeros(1))
            vault.base.load_state_dict(module)
        # Old versions of PyTorch do not mind a tensor that is called weight.scale.
        with self.assertRaisesRegex(modelvault.Unsupported, "'base', tensor 'weight.scale' has 2 values") as caught:
            self.pack(numpy.ones(2, numpy.float32)).base.load_state_dict(nn.Linear(5, 3), strict=False)
        self.assertEqual(caught.exception.tensor, "weight.scale")


if __name__ == "__main__":
    unittest.main()

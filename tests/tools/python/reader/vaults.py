"""What the tests share: small models of every type, and a vault of them. Needs no PyTorch."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[4]
PACKAGE = ROOT / "tools" / "python"
sys.dont_write_bytecode = True
sys.path.insert(0, str(PACKAGE))

import numpy  # pylint: disable=wrong-import-position

MVAULT = os.environ.get("MODELVAULT_PROGRAM", str(ROOT / "build" / "mvault"))
CORPUS = pathlib.Path(os.environ.get("MODELVAULT_CORPUS", str(ROOT.parent / "shared" / "corpus"))) / "medquad-260k"
LIBRARY = os.environ.get("MODELVAULT_LIBRARY", str(ROOT / "build" / "restore" / "c_api" / "libmodelvault.so.0"))

# Arrays by the types that NumPy has, and what it has instead of the others.
TYPES = {"BOOL": "?", "U8": "u1", "I8": "i1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8",
         "U64": "<u8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8"}
BITS = {"BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1"}
# Elements that share bytes: an array of these bytes.
PACKED = ("F4",)


class Tensor:
    """A tensor as a file has it, and the array that it must come back as."""

    def __init__(self, dtype, shape, array):
        self.dtype = dtype
        self.shape = tuple(shape)
        self.array = array


def random_tensor(random, dtype, shape):
    """A tensor of random bytes."""
    count = int(numpy.prod(shape))
    if dtype in PACKED:
        return Tensor(dtype, shape, random.integers(256, size=count // 2, dtype=numpy.uint8))
    kind = numpy.dtype({**TYPES, **BITS}[dtype])
    if dtype == "BOOL":
        return Tensor(dtype, shape, random.integers(2, size=shape).astype(bool))
    data = random.integers(256, size=count * kind.itemsize, dtype=numpy.uint8)
    return Tensor(dtype, shape, data.view(kind).reshape(shape))


def make_base(seed=1):
    """A model with an INT8 layer on a grid and a tensor of every type, an empty one, and a scalar."""
    random = numpy.random.default_rng(seed)
    weights = random.normal(0, 20, (48, 64)).round().clip(-127, 127).astype(numpy.int8)
    tensors = {"layer.weight": Tensor("I8", (48, 64), weights),
               "layer.weight.scale": Tensor("F32", (48,), random.random(48, dtype=numpy.float32) + 0.5)}
    for dtype in (*TYPES, *BITS, *PACKED):
        tensors[f"of.{dtype}"] = random_tensor(random, dtype, (3, 4))
    tensors["empty"] = random_tensor(random, "F32", (0, 5))
    tensors["scalar"] = random_tensor(random, "F64", ())
    tensors["scalar.BF16"] = random_tensor(random, "BF16", ())
    return tensors


def make_variant(base, seed):
    """The base with a ternary change of its layer and other numbers in some tensors."""
    random = numpy.random.default_rng(seed)
    variant = dict(base)
    trits = random.choice([-1, 0, 1], p=[0.05, 0.9, 0.05], size=(48, 64))
    weights = (base["layer.weight"].array + trits).clip(-128, 127).astype(numpy.int8)
    variant["layer.weight"] = Tensor("I8", (48, 64), weights)
    for name in ("of.F32", "of.I64", "of.BF16"):
        variant[name] = random_tensor(random, base[name].dtype, (3, 4))
    return variant


def write_safetensors(path, tensors):
    """Writes the tensors in their order."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        part = tensor.array.tobytes()
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps({"__metadata__": {"made": "for a test"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def read_safetensors(path):
    """Dtypes, shapes and bytes by name, in the order of the data."""
    file = path.read_bytes()
    size = int.from_bytes(file[:8], "little")
    header = json.loads(file[8:8 + size])
    header.pop("__metadata__", None)
    data = file[8 + size:]
    entries = sorted(header.items(), key=lambda entry: entry[1]["data_offsets"])
    return {name: (e["dtype"], e["shape"], data[slice(*e["data_offsets"])]) for name, e in entries}


def listing(path):
    """What `mvault ls` says of a vault."""
    done = subprocess.run([MVAULT, "ls", path, "--json"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def pack(folder, base, variants):
    """Writes the models to files in the folder and packs them; the vault's path."""
    write_safetensors(folder / "base.safetensors", base)
    command = [MVAULT, "pack", "--base", folder / "base.safetensors", "-o", folder / "test.mvlt"]
    for name, tensors in variants.items():
        write_safetensors(folder / f"{name}.safetensors", tensors)
        command += ["--variant", f"{name}={folder / name}.safetensors"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise AssertionError(f"mvault pack ended with {done.returncode}: {done.stdout.decode()}")
    return folder / "test.mvlt"


class FolderTest(unittest.TestCase):
    """A test with a temporary folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class VaultTest(unittest.TestCase):
    """Tests of one vault. `models` are what was packed, by name."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        base = make_base()
        cls.models = {"base": base, **{name: make_variant(base, seed) for seed, name in enumerate(("alpha", "beta"))}}
        cls.path = pack(cls.folder, base, {name: t for name, t in cls.models.items() if name != "base"})

    def assert_tensor(self, array, tensor, message=None):
        """That the array is the tensor's, bit for bit, writable, in memory of its own."""
        self.assertEqual((array.dtype, array.shape), (tensor.array.dtype, tensor.array.shape), message)
        self.assertEqual(array.tobytes(), tensor.array.tobytes(), message)
        self.assertTrue(array.flags.writeable and array.flags.owndata and array.flags.c_contiguous, message)

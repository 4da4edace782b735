"""ONNX models that others made, through mvault and back. They are fetched by name, from Debian and npm, and not kept here:
where no registry can be reached, or a client for it is lacking, the test is skipped and says so."""
import json
import math
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tarfile
import tempfile
import unittest

MVAULT = os.environ["MODELVAULT_PROGRAM"]
DEBIAN_PACKAGE = "libonnx-testdata"
DEBIAN_DATA = "usr/share/libonnx-testdata/data"
# A constant, the bodies of an If and of a Loop, a function's constants, convolutions, a linear layer.
DEBIAN_MODELS = ("node/test_constant", "node/test_if", "node/test_loop11", "node/test_hammingwindow_expanded",
                 "pytorch-converted/test_Conv2d", "pytorch-converted/test_Linear", "pytorch-operator/test_operator_conv")
# Wake words, trained one from another.
NPM_PACKAGE = "openwakeword-js@0.1.27"
NPM_MODELS = ("hello_deepa_old", "namaste_deepa")

UNREACHABLE = re.compile(r"EAI_AGAIN|ENOTFOUND|ECONN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|Could not (resolve|connect)"
                         r"|Temporary failure|Unable to connect|Unable to locate package|No packages found")


def fetch(test, command, folder):
    """Runs a registry's client in `folder`."""
    if shutil.which(command[0]) is None:
        test.skipTest(f"{command[0]} is missing: install it to fetch {command[-1]}")
    run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode == 0:
        return
    if UNREACHABLE.search(run.stdout):
        test.skipTest(f"{command[-1]} cannot be fetched: {run.stdout.strip().splitlines()[-1]}")
    test.fail(f"{' '.join(command)}: {run.stdout}")


class RealModelsTest(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)
        self.folder = pathlib.Path(self.temp.name)

    def mvault(self, *arguments, status=0):
        run = subprocess.run([MVAULT, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, status, run.stderr.decode())
        return run.stdout.decode()

    def tensor(self, vault, name):
        """A base tensor's bytes."""
        path = self.folder / "tensor.safetensors"
        self.mvault("restore", vault, "--base", "--tensor", name, "-o", path)
        data = path.read_bytes()
        return data[8 + struct.unpack_from("<Q", data)[0]:]

    def perturbed(self, base):
        """The file with some bits of its largest tensor changed, and that tensor's name."""
        vault = self.folder / "alone.mvlt"
        self.mvault("pack", "--base", base, "--variant", f"same={base}", "-o", vault)
        tensors = json.loads(self.mvault("info", vault, "base", "--json"))["tensors"]
        largest = max((t for t in tensors if t["dtype"] == "F32"), key=lambda t: math.prod(t["shape"]))
        values = self.tensor(vault, largest["name"])
        data = bytearray(base.read_bytes())
        self.assertIn(values, data)
        at = data.index(values)
        for i in range(at, at + len(values), 97):
            data[i] ^= 1
        path = self.folder / "perturbed.onnx"
        path.write_bytes(data)
        return path, largest["name"]

    def round_trip(self, base, variant, tensor):
        """The vault's bytes for the variant."""
        vault = self.folder / "v.mvlt"
        self.mvault("pack", "--base", base, "--variant", f"variant={variant}", "-o", vault)
        self.mvault("verify", vault)
        for name, path in (("base", base), ("variant", variant)):
            out = self.folder / "out.onnx"
            self.mvault("restore", vault, name, "-o", out)
            self.assertEqual(out.read_bytes(), path.read_bytes(), name)
        self.assertIn("variant", self.mvault("ls", vault))
        self.assertIn(tensor, self.mvault("diff", vault, "base", "variant", status=1))
        info = json.loads(self.mvault("info", vault, "variant", "--json"))
        self.assertIn(tensor, [t["name"] for t in info["tensors"]])
        return info["stored_bytes"]

    def check(self, base):
        with self.subTest(base):
            variant, tensor = self.perturbed(base)
            stored = self.round_trip(base, variant, tensor)
            self.assertLess(stored, 64 + base.stat().st_size / 8)

    def test_debian(self):
        data = pathlib.Path("/") / DEBIAN_DATA
        if not data.is_dir():
            fetch(self, ["apt-get", "download", DEBIAN_PACKAGE], self.folder)
            package = next(self.folder.glob(f"{DEBIAN_PACKAGE}_*.deb"))
            subprocess.run(["dpkg-deb", "-x", package, self.folder], check=True)
            data = self.folder / DEBIAN_DATA
        for name in DEBIAN_MODELS:
            self.check(data / name / "model.onnx")

    def test_npm(self):
        fetch(self, ["npm", "pack", "--fetch-retries=0", NPM_PACKAGE], self.folder)
        with tarfile.open(next(self.folder.glob("*.tgz"))) as package:
            for name in NPM_MODELS:
                member = package.extractfile(f"package/models/{name}.onnx")
                (self.folder / f"{name}.onnx").write_bytes(member.read())
        base, variant = (self.folder / f"{name}.onnx" for name in NPM_MODELS)
        self.check(base)
        self.round_trip(base, variant, "layer1.weight")


if __name__ == "__main__":
    unittest.main()

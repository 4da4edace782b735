"""The examples of the documents run."""

import inspect
import re
import unittest

import numpy
import torch
import vaults

import modelvault

EXAMPLE = 'vault = modelvault.Vault("hospital.mvlt")'
KEYS_EXAMPLE = "require_signature=True"
GOLDEN = vaults.ROOT / "tests" / "vault" / "golden"


def python_blocks(path):
    return re.findall(r"```python\n(.*?)```", (vaults.ROOT / path).read_text(encoding="utf-8"), re.DOTALL)


class DocumentsTest(vaults.FolderTest):
    def test_the_four_lines(self):
        base = {"layers.0.wq": vaults.Tensor("F32", (2, 3), numpy.arange(6, dtype=numpy.float32).reshape(2, 3))}
        changed = {"layers.0.wq": vaults.Tensor("F32", (2, 3), base["layers.0.wq"].array + 1)}
        path = vaults.pack(self.folder, base, {"radiology": changed})
        blocks = {block for document in ("README.md", "docs/python.md", "tools/python/README.md")
                  for block in python_blocks(document) if EXAMPLE in block}
        self.assertEqual(len(blocks), 1)
        code = blocks.pop()
        self.assertEqual(code.count("\n"), 4)
        module = torch.nn.ModuleDict({"layers": torch.nn.ModuleList([torch.nn.ParameterDict(
            {"wq": torch.zeros(2, 3)})])})
        names = {"module": module}
        exec(code.replace("hospital.mvlt", str(path)), names)  # pylint: disable=exec-used
        expected = changed["layers.0.wq"].array
        numpy.testing.assert_array_equal(names["weights"], expected)
        numpy.testing.assert_array_equal(module["layers"][0]["wq"].detach().numpy(), expected)

    def test_keys_and_trust(self):
        (code,) = [block for block in python_blocks("docs/python.md") if KEYS_EXAMPLE in block]
        ward = self.folder / "ward.key"
        ward.write_bytes((GOLDEN / "keys-1.4" / "ward.key").read_bytes())
        ward.chmod(0o600)
        for name, path in (("signed.mvlt", GOLDEN / "v1.4-tenants.mvlt"), ("ward.key", ward),
                           ("release.pub", GOLDEN / "keys-1.4" / "root.pub"),
                           ("hospital.revoked", GOLDEN / "v1.4-tenants.revocations")):
            self.assertEqual(code.count(f'"{name}"'), 1)
            code = code.replace(f'"{name}"', repr(str(path)))
        names = {"modelvault": modelvault, "remembered": 3}
        exec(code, names)  # pylint: disable=exec-used
        self.assertEqual(names["remembered"], 5)
        self.assertIn("acme.heart", names["vault"])
        with self.assertRaises(modelvault.Revoked):
            names["vault"]["open.lung"]  # pylint: disable=expression-not-assigned

    def test_every_argument_is_told_of(self):
        text = (vaults.ROOT / "docs" / "python.md").read_text(encoding="utf-8")
        for name, parameter in inspect.signature(modelvault.Vault).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY and name != "name":
                self.assertRegex(text, rf"`{name}\b")

    def test_every_exception_is_in_the_table(self):
        text = (vaults.ROOT / "docs" / "python.md").read_text(encoding="utf-8")
        rows = dict(re.findall(r"^\| `([A-Z]\w+)` \|([^|]*)\|", text, re.MULTILINE))
        from modelvault.reader import errors  # pylint: disable=import-outside-toplevel
        kinds = {name: kind for name, kind in vars(errors).items()
                 if isinstance(kind, type) and issubclass(kind, errors.VaultError) and kind is not errors.VaultError}
        self.assertEqual(set(rows), set(kinds))
        for name, kind in kinds.items():
            parents = [base.__name__ for base in kind.__bases__ if base is not errors.VaultError]
            self.assertEqual(re.findall(r"`(\w+)`", rows[name]), parents, name)


if __name__ == "__main__":
    unittest.main()

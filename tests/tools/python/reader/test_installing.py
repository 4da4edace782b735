"""The package installs from its source, without a network."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import unittest
import venv

import vaults

READ = """
import sys
import modelvault
print(modelvault.reader.c_library.load()._name)
for vault in sys.argv[1:]:
    print(sorted(modelvault.Vault(vault)["alpha"].names) == sorted(modelvault.Vault(vault).base.names))
print("torch" in sys.modules)
"""


@unittest.skipUnless(all(map(importlib.util.find_spec, ("pip", "setuptools", "wheel"))), "needs pip, setuptools, wheel")
class InstallingTest(vaults.VaultTest):
    def setUp(self):
        self.home = self.folder / self.id()
        self.tree = self.home / "checkout"
        shutil.copytree(vaults.PACKAGE, self.tree / "tools" / "python",
                        ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
        venv.create(self.home / "env", system_site_packages=True, symlinks=True)
        self.python = self.home / "env" / "bin" / "python"

    def run_python(self, *arguments, **environment):
        variables = {name: value for name, value in os.environ.items()
                     if name not in ("MODELVAULT_LIBRARY", "PYTHONPATH", "LD_LIBRARY_PATH")}
        done = subprocess.run([self.python, *arguments], env={**variables, **environment}, cwd=self.home,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        return done.stdout.decode()

    def install(self, **environment):
        self.run_python("-m", "pip", "install", "--no-index", "--no-build-isolation", self.tree / "tools" / "python",
                        **environment)
        self.site = next((self.home / "env" / "lib").glob("python*")) / "site-packages" / "modelvault"
        for file in ("py.typed", "reader/vault.py", "training/attach.py"):
            self.assertTrue((self.site / file).is_file(), file)
        return self.site / "libmodelvault.so.0"

    def test_with_a_library(self):
        library = self.install(MODELVAULT_LIBRARY=vaults.LIBRARY)
        self.assertEqual(library.read_bytes(), pathlib.Path(vaults.LIBRARY).read_bytes())
        self.assertEqual(self.run_python("-c", READ, self.path), f"{library}\nTrue\nFalse\n")

    def test_with_the_library_that_was_built(self):
        built = self.tree / "build" / "restore" / "c_api"
        built.mkdir(parents=True)
        shutil.copy(vaults.LIBRARY, built / "libmodelvault.so.0")
        library = self.install()
        shutil.rmtree(self.tree)
        self.assertEqual(self.run_python("-c", READ, self.path), f"{library}\nTrue\nFalse\n")

    def test_with_the_library_that_the_system_has(self):
        self.assertFalse(self.install().exists())
        system = self.home / "env" / "lib" / "libmodelvault.so.0"
        shutil.copy(vaults.LIBRARY, system)
        self.assertEqual(self.run_python("-c", READ, self.path), f"{system}\nTrue\nFalse\n")


if __name__ == "__main__":
    unittest.main()

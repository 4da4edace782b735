"""What is imported and loaded, when, and what is said if it is not there."""

import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
import unittest

import vaults


def run(code, *arguments, package=vaults.PACKAGE, **environment):
    """Runs Python code in a process of its own; what it prints. A variable that is None is not set."""
    variables = {**os.environ, "PYTHONPATH": str(package), "MODELVAULT_LIBRARY": vaults.LIBRARY, **environment}
    done = subprocess.run([sys.executable, "-B", "-c", textwrap.dedent(code), *map(str, arguments)],
                          env={name: value for name, value in variables.items() if value is not None},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode()
    if done.returncode != 0:
        raise AssertionError(text)
    return text


class ImportingTest(vaults.VaultTest):
    def test_readers_import_no_torch(self):
        self.assertEqual(run("""
            import sys
            import modelvault
            with modelvault.Vault(sys.argv[1]) as vault:
                for name in vault:
                    dict(vault[name].tensors())
                    vault[name]["layer.weight"]
                vault["alpha"].save(sys.argv[2])
            assert "training" not in vars(modelvault)
            print([name for name in sys.modules if name.split(".")[0] == "torch"])
            """, self.path, self.folder / "saved"), "[]\n")

    def test_readers_need_no_torch(self):
        self.assertIn("modelvault.attach needs PyTorch: pip install 'modelvault[train]'", run("""
            import sys
            sys.modules["torch"] = None
            import modelvault
            print(len(modelvault.Vault(sys.argv[1])))
            try:
                modelvault.attach
            except ImportError as error:
                print(error)
            """, self.path))

    def test_trainers_need_no_library(self):
        run("""
            import modelvault
            assert callable(modelvault.attach)
            """, MODELVAULT_LIBRARY="/nowhere")

    def test_functions_are_not_hidden_by_modules_of_their_name(self):
        for first in ("from modelvault.training.export import load", "from modelvault import *"):
            run(first + """
import modelvault
names = ["add_tensor_weights", "allocate", "apply_lora", "attach", "curvature", "distill", "export", "load", "plan_of",
         "tensor_weights", "write_tensor_weights", "Plan", "Priors", "BaseModel", "Vault", "float32_of_bfloat16"]
for name in names:
    assert callable(getattr(modelvault, name)), name
    assert name in dir(modelvault) and name in modelvault.__all__, name
""")

    def test_all_names_are_there(self):
        run("""
            import modelvault
            for name in modelvault.__all__:
                getattr(modelvault, name)
            assert len(set(modelvault.__all__)) == len(modelvault.__all__)
            names = {*modelvault.reader.__all__, *modelvault._TRAINING, "__version__"}
            assert names == set(modelvault.__all__)
            assert set(modelvault._TRAINING) == set(modelvault.training.__all__)
            assert not hasattr(modelvault, "nothing")
            """)


class LibraryTest(vaults.FolderTest):
    TRY = """
        import sys
        import modelvault
        try:
            modelvault.Vault(b"")
        except modelvault.LibraryMissing as error:
            print(f"missing: {error}")
        except modelvault.Damaged:
            print(f"found: {modelvault.reader.c_library.load()._name}")
        """

    def setUp(self):
        super().setUp()
        # As it is installed: far from any build.
        self.package = self.folder / "site"
        shutil.copytree(vaults.PACKAGE / "modelvault", self.package / "modelvault",
                        ignore=shutil.ignore_patterns("__pycache__", "libmodelvault*"))

    def attempt(self, **environment):
        return run(self.TRY, package=self.package, **environment)

    def test_the_variable_names_it(self):
        self.assertEqual(self.attempt(), f"found: {vaults.LIBRARY}\n")

    def test_what_the_variable_names_is_the_only_one(self):
        shutil.copy(vaults.LIBRARY, self.package / "modelvault" / "libmodelvault.so.0")
        said = self.attempt(MODELVAULT_LIBRARY="/nowhere/libmodelvault.so.0")
        self.assertTrue(said.startswith("missing: libmodelvault was not found (MODELVAULT_LIBRARY names it); tried:\n"
                                        "  /nowhere/libmodelvault.so.0: "), said)
        self.assertEqual(said.count("\n"), 2)

    def test_beside_the_package(self):
        beside = self.package / "modelvault" / "libmodelvault.so.0"
        shutil.copy(vaults.LIBRARY, beside)
        self.assertEqual(self.attempt(MODELVAULT_LIBRARY=None), f"found: {beside}\n")

    def test_where_the_system_has_it(self):
        system = self.folder / "lib"
        system.mkdir()
        shutil.copy(vaults.LIBRARY, system / "libmodelvault.so.0")
        said = self.attempt(MODELVAULT_LIBRARY=None, LD_LIBRARY_PATH=str(system))
        self.assertEqual(said, "found: libmodelvault.so.0\n")

    def test_in_the_build_folder_of_a_checkout(self):
        tree = self.folder / "tree"
        shutil.copytree(self.package, tree / "tools" / "python")
        build = tree / "build" / "restore" / "c_api"
        build.mkdir(parents=True)
        shutil.copy(vaults.LIBRARY, build / "libmodelvault.so.0")
        said = run(self.TRY, package=tree / "tools" / "python", MODELVAULT_LIBRARY=None)
        self.assertEqual(said, f"found: {build / 'libmodelvault.so.0'}\n")

    @unittest.skipIf(pathlib.Path("/usr/local/lib/libmodelvault.so.0").exists(), "it is installed here")
    def test_nowhere(self):
        said = self.attempt(MODELVAULT_LIBRARY=None, LD_LIBRARY_PATH=None)
        self.assertIn("missing: libmodelvault was not found (build and install it, or set MODELVAULT_LIBRARY", said)
        self.assertIn(f"  {self.package / 'modelvault' / 'libmodelvault.so.0'}: ", said)
        self.assertIn("  libmodelvault.so.0: ", said)

    def test_another_library(self):
        said = self.attempt(MODELVAULT_LIBRARY="libm.so.6")
        self.assertIn("missing: libm.so.6 has no function mv_failure_message: it is not libmodelvault, or is older "
                      "than", said)


if __name__ == "__main__":
    unittest.main()

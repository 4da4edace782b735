"""The whole of mutate on four mutants: three that their test must kill, and one in code that this test never runs, which
must be reported as a survivor, with an exit status that says so. The build is in MODELVAULT_BUILD."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import mutants

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent


def mutant_in(path, line, was, replacement):
    """The name of the first such mutant in the first line with such a text."""
    for mutant in mutants.find(path, (ROOT / path).read_text()):
        if line in mutant.code and mutant.was == was and mutant.replacement == replacement:
            return mutant.name
    raise AssertionError(f"there is no {was} in '{line}' of {path}")


class SampleTest(unittest.TestCase):
    def test_mutants_are_killed_where_a_test_looks_and_survive_where_none_does(self):
        view = "vault/core/vault_view.cc"
        killed = [mutant_in(view, "return size >= low && size <= high", "<=", "<"),
                  mutant_in("vault/core/utf8.h", "lead < 0xC2 || lead > 0xF4", "0xF4", "0xF3"),
                  mutant_in(view, "if (name.size == 0) return NameFault::kEmpty;",
                            "if (name.size == 0) return NameFault::kEmpty;", ";")]
        survivor = mutant_in("codec/core/column_order.cc", "for (", "<", "<=")
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            command = [sys.executable, "-B", str(FOLDER / "mutate"), "--build", os.environ["MODELVAULT_BUILD"],
                       "--work", str(pathlib.Path(folder) / "work"), "--no-build", "--test", "vault_view_test",
                       "--json", str(report)]
            for name in [*killed, survivor]:
                command += ["--only", name]
            run = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(f"survived: {survivor} ", run.stdout)
            self.assertIn("4 mutants: 3 killed (75.0 %), 1 survived", run.stdout)
            results = {entry["name"]: entry["result"] for entry in json.loads(report.read_text())["tried"]}
            self.assertEqual(results, {**{name: "killed" for name in killed}, survivor: "survived"})
            # What is known is not tried again, and three in four is enough if it is said to be.
            again = subprocess.run([*command, "--least", "75"], capture_output=True, text=True, timeout=20)
            self.assertEqual((again.returncode, again.stdout), (0, run.stdout), again.stderr)


if __name__ == "__main__":
    unittest.main()

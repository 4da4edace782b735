"""No shell script of the project has a pipeline that SIGPIPE may end, and shellcheck finds nothing in any."""

import pathlib
import subprocess
import tempfile
import unittest

import shell_scripts

ROOT = pathlib.Path(__file__).resolve().parents[2]


class EveryScript(unittest.TestCase):
    def setUp(self):
        self.scripts = shell_scripts.find(ROOT)

    def test_the_scripts_are_found(self):
        names = {str(path.relative_to(ROOT)) for path in self.scripts}
        self.assertLessEqual({".ci/run", "scripts/demo", "scripts/steps.sh", "scripts/test"}, names)

    def test_readers_of_pipelines_read_to_the_end(self):
        for path in self.scripts:
            with self.subTest(path):
                self.assertEqual(shell_scripts.early_readers(path.read_text(), path), [])

    def test_shellcheck_finds_nothing(self):
        run = subprocess.run(["shellcheck", "-x", *self.scripts], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_every_script_says_where_it_stopped(self):
        for path in self.scripts:
            if path.name == "steps.sh":
                continue
            with self.subTest(path):
                self.assertRegex(path.read_text(), r'(?m)^\. "\$\(dirname "\$0"\)/[./a-z]*steps\.sh"$')
                self.assertRegex(path.read_text(), r'(?m)^\s*(step|show) "')


class Checker(unittest.TestCase):
    def test_readers_that_may_leave(self):
        for script in ("find . | sort | head -n 1", "x=$(tr a b <f | grep -o c | head -n 1)", "a | grep -q b",
                       "a | grep -m1 b", "a | grep -Eq b", "a | grep --quiet b", "a | sed 5q", "a | sed -n '/b/{p;q}'",
                       "a | sed '/b/q'", "a | awk 'NR == 2 { print; exit }'", "a | read -r b", "a | true", "a | b",
                       "a | while read -r b; do break; done", "a | { read -r b; }", "a | less |& cat",
                       'echo "$(a | head)"', "a <(b | head)", "if a | grep -q b; then c; fi", "a && b | head",
                       "f() { a | head; }", "f() { head -n 1; }; a | f", "f() { head | sort; }; a | f",
                       "case $a in b) c | head ;; esac", "a |\n  head", "cat <<X\n$(a | head)\nX"):
            with self.subTest(script):
                self.assertEqual(len(shell_scripts.early_readers(script)), 1)

    def test_readers_that_stay(self):
        for script in ("a | sort", "a | sed 's/b/c/' | tr d e", "a | sed -n 2p", "a | grep -o b", "a | tail -n 1",
                       "a || head", "a && head", "head f", "head -c 5 /dev/zero | tr a b", "grep -q a <<<b",
                       "[[ a =~ b|head ]]", "case $a in b|head) c ;; esac", "# a | head", "echo 'a | head'",
                       "cat <<'X'\na | head\nX", "echo $((a | head))", "f() { tr a b | sed s/c/d/; }; a | f",
                       "a | awk '{ print }'", "a | awk '{ b = 1 } END { exit b }'", "a | dd of=b", "a | sed 's/q/r/; s/queue/Quit/'"):
            with self.subTest(script):
                self.assertEqual(shell_scripts.early_readers(script), [])

    def test_says_where(self):
        self.assertEqual(shell_scripts.early_readers("a\nb |\n  head -n 1 # c\n"), [(3, "head -n 1")])

    def test_a_script_that_is_none(self):
        with self.assertRaisesRegex(ValueError, "broken"):
            shell_scripts.early_readers("if a; then", "broken")


class Finder(unittest.TestCase):
    def test_by_name_and_by_first_line(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            wanted = {"a.sh": "echo", "b": "#!/bin/sh\n", "sub/c": "#!/usr/bin/env bash\n", "d": "#!/bin/bash -e\n"}
            others = {"e": "#!/usr/bin/env python3\n", "f.txt": "sh", "g": "", "build/h.sh": "", "build-x/i": "#!/bin/sh\n",
                      "tree/CMakeCache.txt": "", "tree/j.sh": "", ".git/hooks/k": "#!/bin/sh\n"}
            for name, text in (wanted | others).items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            self.assertEqual({str(path.relative_to(root)) for path in shell_scripts.find(root)}, set(wanted))


if __name__ == "__main__":
    unittest.main()

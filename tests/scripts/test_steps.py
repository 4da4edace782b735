"""Scripts that stop say on standard error in which step, why, and how to go on; and scripts/test keeps its last line and
its exit code. The programs that the scripts run are stand-ins, so that any of them can fail."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Answers for every program; FAIL names the one that fails, with what it is asked.
STAND_IN = r"""#!/usr/bin/env bash
asked="$(basename "$0") $*"
echo "$asked" >>"$CALLS"
if [[ -n ${FAIL-} && $asked == *"$FAIL"* ]]; then echo "stand-in fails: $asked" >&2; exit 7; fi
case $asked in
  "cmake --preset"*)
    mkdir -p build/Testing/Temporary
    echo "core for RV32IMAC: 1" >build/Testing/Temporary/LastTest.log
    printf '1\nsome_test\n' >build/left_out_tests.txt
    cp "$0" build/mvault
    cp "$0" build/mvault_demo ;;
  ctest*)
    while [ "$1" != --output-junit ]; do shift; done
    printf '<?xml version="1.0"?>\n<testsuite name="x"\n\ttests="5"\n\tfailures="%s"\n\tdisabled="0"\n\tskipped="0"\n>' \
      "${FAILURES:-0}" >"$2"
    printf '<testcase name="<testsuite tests=9>"/></testsuite>\n' >>"$2" ;;
  "mvault_demo train"*) mkdir -p build/demo/int8/variants ;;
  "mvault fit"*) echo a >build/demo/hospital.mvlt; echo m >build/demo/int8/variants/radiology.safetensors ;;
  "mvault_demo patient"*) printf 'radiology 3\ncardiology 5\n' ;;
  "mvault board"*) case $asked in *cardiology*) echo class 5 ;; *) echo class "${CLASS:-3}" ;; esac
    printf '\nRAM  1\nanswer  2\n' ;;
  "mvault restore"*) echo m >build/demo/restored.safetensors ;;
esac
"""


class Tree(unittest.TestCase):
    """A copy of scripts/ in a tree of its own, among stand-ins."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "a tree"
        self.bin = self.root / "bin"
        self.bin.mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        shutil.copytree(ROOT / ".ci", self.root / ".ci")
        for name in ("bin/cmake", "bin/ctest", "scripts/install-deps", "firmware_riscv/virt_rv32/transcript.sh"):
            self.write(name, STAND_IN)
        self.calls = self.root / "calls"

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run_script(self, *command, cwd=None, **environment):
        self.calls.write_text("")
        variables = {key: value for key, value in os.environ.items() if key != "JOBS"}
        variables.update(environment, CALLS=str(self.calls), PATH=f"{self.bin}:{os.environ['PATH']}")
        return subprocess.run([str(word) for word in command], cwd=cwd or self.root, env=variables, capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL)


class Steps(Tree):
    def script(self, body):
        return self.write("scripts/x", f'#!/usr/bin/env bash\n. "$(dirname "$0")/steps.sh"\n{body}\n')

    def test_names_step_line_command_and_status(self):
        run = self.run_script(self.script('step "one"\nstep "two"\nbash -c "exit 5"\necho no'), "a b")
        self.assertEqual(run.returncode, 5)
        self.assertEqual(run.stdout, "")
        self.assertIn('x: stopped in: two: line 5 ended with status 5: bash -c "exit 5"\n', run.stderr)
        self.assertIn("once that is mended, run again: ", run.stderr)
        self.assertIn("a\\ b", run.stderr)

    def test_sees_through_functions_substitutions_and_pipelines(self):
        for body in ('f() { y=$(false); }\nf', 'y=$(false)', 'false | cat', 'cat /nonexistent | sort'):
            with self.subTest(body):
                run = self.run_script(self.script(f'step "two"\n{body}\necho no'))
                self.assertEqual((run.returncode, run.stdout), (1, ""))
                self.assertRegex(run.stderr, "stopped in: two: line [0-9]+ ended with status 1")

    def test_names_a_signal(self):
        run = self.run_script(self.script('step "two"\nyes | head -n 1 >/dev/null'))
        self.assertIn("status 141 (SIGPIPE)", run.stderr)
        self.assertIn("(statuses 141 0)", run.stderr)

    def test_a_signal_to_the_script_is_told(self):
        run = self.run_script(self.script('step "two"\nkill -TERM $$\nsleep 1\necho no'))
        self.assertEqual((run.returncode, run.stdout), (143, ""))
        self.assertIn("stopped in: two: SIGTERM came", run.stderr)

    def test_shows_the_end_of_the_log(self):
        body = 'step "two"\nlog_is "$(dirname "$0")/log"\nseq 100 >"$(dirname "$0")/log"\nfalse'
        run = self.run_script(self.script(body))
        self.assertNotIn("\n80\n", run.stderr)
        self.assertIn("\n81\n", run.stderr)
        self.assertRegex(run.stderr, "log: .*/log\n")

    def test_fail_and_go_on(self):
        run = self.run_script(self.script('step "two"\ngo_on "do that"\nfail "for this reason"'))
        self.assertEqual(run.returncode, 1)
        self.assertIn("stopped in: two: for this reason\n", run.stderr)
        self.assertRegex(run.stderr, "x: do that\n$")

    def test_fail_in_a_substitution_is_heard(self):
        run = self.run_script(self.script('step "two"\nf() { fail "for this reason"; }\ny=$(f)\necho no'))
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertIn("for this reason\n", run.stderr)
        self.assertIn("stopped in: two: ", run.stderr)

    def test_a_script_that_ends_well_says_nothing(self):
        run = self.run_script(self.script('at_exit() { echo end; }\nstep "two"\nif false; then :; fi\nfalse || true'))
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "end\n", ""))

    def test_at_exit_runs_after_a_failure(self):
        run = self.run_script(self.script('at_exit() { echo end; }\nstep "two"\nfalse'))
        self.assertEqual((run.returncode, run.stdout), (1, "end\n"))

    def test_usage(self):
        run = self.run_script(self.script('usage "x A"'))
        self.assertEqual((run.returncode, run.stdout, run.stderr), (64, "", "usage: x A\n"))


class Demo(Tree):
    def test_runs_and_ends_with_the_paths(self):
        run = self.run_script("scripts/demo")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(run.stdout.splitlines()[-1], f"  file://{self.root}/build/demo/vault.html: the vault as a page")

    def test_each_step_that_fails_is_named_with_a_way_on(self):
        whole, again = "run again: scripts/demo", "go on behind it: scripts/demo --again"
        for command, title, way in (("install-deps", "1/8 Packages and build", whole),
                                    ("cmake --preset", "1/8 Packages and build", whole),
                                    ("cmake --build", "1/8 Packages and build", whole), ("train", "2/8 Train", whole),
                                    ("mvault fit", "3/8 Fit", whole), ("verify", "4/8 Verify", again),
                                    ("restore", "5/8 Restore", again), ("mvault_demo eval", "5/8 Restore", again),
                                    ("table", "6/8 What", again), ("transcript", "7/8 The same", again),
                                    ("mvault_demo patient", "8/8 The same patient", again),
                                    ("mvault board", "8/8 The same patient", again)):
            with self.subTest(command):
                run = self.run_script("scripts/demo", FAIL=command)
                self.assertEqual(run.returncode, 7)
                self.assertIn(f"scripts/demo: stopped in: {title}", run.stderr)
                self.assertIn("status 7", run.stderr)
                self.assertTrue(run.stderr.endswith(way + "\n"), run.stderr)
                if command == "cmake --preset":
                    self.assertIn("stand-in fails: cmake", run.stderr)
                    self.assertIn("log: build/configure.log", run.stderr)

    def test_a_model_that_breaks_its_rules_is_told(self):
        run = self.run_script("scripts/demo")
        self.assertIn("cardiology's own rules say class 5, its model on the board: class 5\n", run.stdout)
        run = self.run_script("scripts/demo", CLASS="4")
        self.assertEqual(run.returncode, 1)
        self.assertIn("the model of radiology does not follow its rules", run.stderr)

    def test_again_repeats_the_steps_behind_the_fit_alone(self):
        run = self.run_script("scripts/demo", "--again")
        self.assertEqual(run.returncode, 1)
        self.assertIn("without --again it is made: scripts/demo", run.stderr)
        self.run_script("scripts/demo", FAIL="verify")
        run = self.run_script("scripts/demo", "--again")
        self.assertEqual(run.returncode, 0, run.stderr)
        calls = self.calls.read_text()
        self.assertIn("mvault verify", calls)
        for command in ("install-deps", "cmake", "train", "mvault fit"):
            self.assertNotIn(command, calls)
        self.run_script("scripts/demo", FAIL="mvault fit")
        self.assertEqual(self.run_script("scripts/demo", "--again").returncode, 1)

    def test_wrong_command_lines(self):
        for arguments in (["--agian"], ["--again", "x"], ["x"]):
            self.assertEqual(self.run_script("scripts/demo", *arguments).returncode, 64)

    def test_repeated(self):
        run = self.run_script("scripts/repeat-demo", "3")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(run.stdout.splitlines()[-1], "3 of 3 runs ended with 0")
        self.assertEqual(self.calls.read_text().count("mvault fit"), 1)
        self.assertEqual(self.calls.read_text().count("mvault verify"), 3)

    def test_one_failed_run_of_many_fails_the_whole(self):
        count = self.root / "count"
        count.write_text("")
        self.write("firmware_riscv/virt_rv32/transcript.sh", f'#!/bin/sh\necho >>"{count}"\n[ $(wc -l <"{count}") -ne 2 ]\n')
        run = self.run_script("scripts/repeat-demo", "3")
        self.assertEqual(run.returncode, 1)
        self.assertIn("run 3 of 3: status 0", run.stdout)
        self.assertIn("1 of 3 runs failed: 2", run.stderr)
        run = self.run_script("scripts/repeat-demo", "3", FAIL="train")
        self.assertEqual((run.returncode, run.stdout), (1, "run 1 of 3: status 7\n"))
        self.assertIn("stand-in fails: mvault_demo train", run.stderr)

    def test_repeat_takes_a_number(self):
        for arguments in (["0"], ["x"], ["1", "2"], ["-3"]):
            self.assertEqual(self.run_script("scripts/repeat-demo", *arguments).returncode, 64)


class Tests(Tree):
    def test_last_line_and_exit_code(self):
        run = self.run_script("scripts/test")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(run.stdout.splitlines()[-2:],
                         ["1 test programs left out for want of the corpus folder: some_test", "10 passed, 0 failed"])
        self.assertEqual(self.run_script("scripts/test", "--fuzz").stdout.splitlines()[-1], "15 passed, 0 failed")
        self.assertEqual(self.run_script("scripts/test", "--fuz").returncode, 64)

    def test_failing_tests(self):
        run = self.run_script("scripts/test", "--fuzz", FAILURES="2")
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stdout.splitlines()[-1], "9 passed, 6 failed")
        self.assertIn("stopped in: tests of release asan-ubsan fuzz: 6 failed", run.stderr)
        self.assertIn("ctest --preset asan-ubsan --rerun-failed", run.stderr)

    def test_a_step_that_fails(self):
        for command, title in (("install-deps", "installing packages"), ("cmake --preset asan", "AddressSanitizer and "
                               "UndefinedBehaviorSanitizer: configure"), ("cmake --build --preset fuzz", "fuzz targets, a "
                               "short run each: build"), ("ctest --preset release", "release: tests: ctest wrote no")):
            with self.subTest(command):
                run = self.run_script("scripts/test", "--fuzz", FAIL=command)
                self.assertNotEqual(run.returncode, 0)
                self.assertRegex(run.stdout.splitlines()[-1], "^[0-9]+ passed, 1 failed$")
                self.assertIn(f"scripts/test: stopped in: {title}", run.stderr)

    def test_from_another_folder_with_a_home_that_cannot_be_written(self):
        for name in ("test", "demo"):
            run = self.run_script(self.root / "scripts" / name, cwd="/", HOME="/proc/self", CDPATH="/usr:/tmp")
            self.assertEqual((run.returncode, run.stderr), (0, ""), name)

    def test_jobs(self):
        self.run_script("scripts/test", JOBS="3")
        self.assertIn("cmake --build --preset release -j 3\n", self.calls.read_text())
        self.run_script("scripts/test")
        self.assertRegex(self.calls.read_text(), "cmake --build --preset release -j [1-9][0-9]*\n")

    def test_continuous_integration_needs_the_corpus(self):
        run = self.run_script(".ci/run")
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertIn("stopped in: looking for the corpus: the corpus is missing", run.stderr)
        (self.root.parent / "shared" / "corpus").mkdir(parents=True)
        run = self.run_script(".ci/run")
        self.assertEqual((run.returncode, run.stdout.splitlines()[-1]), (0, "10 passed, 0 failed"))


class InstallDeps(Tree):
    def setUp(self):
        super().setUp()
        shutil.copy(ROOT / "scripts" / "install-deps", self.root / "scripts" / "install-deps")
        self.write("bin/apt-get", STAND_IN)
        self.write("scripts/get-crypto-sources", STAND_IN)

    def test_needs_no_network_when_all_is_there(self):
        self.write("bin/dpkg-query", "#!/bin/sh\nprintf installed\n")
        run = self.run_script("scripts/install-deps", "test", FAIL="apt-get")
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))
        self.assertEqual(self.calls.read_text(), "get-crypto-sources \n")

    def test_goes_on_without_the_cryptographic_libraries(self):
        for installed in ("printf installed", "exit 1"):
            with self.subTest(installed):
                self.write("bin/dpkg-query", f"#!/bin/sh\n{installed}\n")
                self.write("bin/id", "#!/bin/sh\necho 0\n")
                run = self.run_script("scripts/install-deps", "demo", FAIL="get-crypto-sources")
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertIn("the board's firmware will be without signatures\n", run.stderr)

    def test_says_what_is_missing_where_the_network_is(self):
        self.write("bin/dpkg-query", '#!/bin/sh\ncase "$*" in *shellcheck*) exit 1 ;; esac\nprintf installed\n')
        self.write("bin/id", "#!/bin/sh\necho 0\n")
        run = self.run_script("scripts/install-deps", "test")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("apt-get install -y --no-install-recommends shellcheck ", self.calls.read_text())
        run = self.run_script("scripts/install-deps", "test", FAIL="apt-get install")
        self.assertEqual(run.returncode, 7)
        self.assertIn("stopped in: apt-get install: ", run.stderr)
        self.assertIn("as root: apt-get update && apt-get install -y --no-install-recommends shellcheck\n", run.stderr)

    def test_a_failed_update_of_the_lists_is_not_the_end(self):
        self.write("bin/dpkg-query", "#!/bin/sh\nexit 1\n")
        self.write("bin/id", "#!/bin/sh\necho 0\n")
        run = self.run_script("scripts/install-deps", "test", FAIL=" update")
        self.assertEqual(run.returncode, 0)
        self.assertIn("going on with the package lists", run.stderr)


class CryptoSources(Tree):
    def setUp(self):
        super().setUp()
        self.sources = self.root / ".crypto-sources"
        # Leaves files of the right names in the current folder, and asks nobody.
        self.write("bin/apt-get", r"""#!/usr/bin/env bash
echo "apt-get $*" >>"$CALLS"
case "$*" in
  *" update")
    if [ "${FAIL-}" = update ]; then echo "W: no network" >&2; exit; fi
    lists="$*"
    lists=${lists#*Dir::State::lists=}
    touch "${lists%% -o *}/x_Sources"
    exit ;;
  *" source ${FAIL-nothing}="*) echo "E: no such version" >&2; exit 100 ;;
esac
for name in $(grep -oE '[^ ]+\.tar\.[gx]z' "$SCRIPT"); do echo "$*" >"$name"; done
""")

    def get(self, **environment):
        script = self.root / "scripts" / "get-crypto-sources"
        return self.run_script(script, SCRIPT=str(script), **environment)

    def nothing_is_left(self):
        self.assertEqual([path.name for path in self.root.glob(".crypto-sources*")], [])

    def test_other_files_than_the_pinned_ones_are_refused(self):
        run = self.get()
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertRegex(run.stderr, r"stopped in: .*: a file is not the one that is pinned: [^ ]+\.tar\.[gx]z: FAILED\n")
        self.nothing_is_left()

    def test_says_what_could_not_be_fetched(self):
        for fail, why in (("update", "reading the lists of source packages: W: no network\n"),
                          ("libb2", "fetching source packages: libb2 .* could not be fetched: E: no such version\n")):
            run = self.get(FAIL=fail)
            self.assertEqual((run.returncode, run.stdout), (1, ""))
            self.assertRegex(run.stderr, f"stopped in: {why}")
            self.assertRegex(run.stderr, "the firmware is built without signatures\n$")
            self.nothing_is_left()

    def test_apt_keeps_its_lists(self):
        self.get()
        calls = self.calls.read_text().splitlines()
        self.assertEqual(len(calls), 4)
        for call in calls:
            self.assertIn(f"Dir::State::lists={self.sources}.", call)
            self.assertIn(f"Dir::Cache={self.sources}.", call)

    def test_does_nothing_where_they_are(self):
        script = (self.root / "scripts" / "get-crypto-sources").read_text()
        pins, kept = (script.split(f'{name}="\\\n')[1].split('"')[0] for name in ("pins", "kept"))
        self.sources.mkdir()
        (self.sources / "contents").write_text(f"{pins}\n{kept}\n")
        run = self.get()
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))
        self.assertEqual(self.calls.read_text(), "")
        (self.sources / "contents").write_text("others\n")
        self.assertEqual(self.get().returncode, 1)
        self.assertEqual((self.sources / "contents").read_text(), "others\n")


if __name__ == "__main__":
    unittest.main()

"""Builds mutants beside a build of the tree, and runs that build's tests on them.

The files that may be mutated are copied. Their objects make one shared library, with which the test programs are linked
once in place of their own objects: a mutant costs the compilation of what includes it and one short link. Neither the
sources nor the build are written to.
"""

import dataclasses
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import subprocess


class Failure(Exception):
    """Ends the script with one line on standard error."""


# Test programs that look at what is mutated. Each is run on a mutant until one fails, the quickest first.
TESTS = [
    "boot_selection_test",
    "codec_test",
    "device_state_test",
    "flash_driver_test",
    "format_doc_test",
    "golden_restore_test",
    "loader_test",
    "network_view_test",
    "patch_builder_test",
    "proof_test",
    "restore_far_test",
    "restorer_test",
    "revocation_list_test",
    "signature_view_test",
    "slot_update_test",
    "tenant_attack_test",
    "tenant_test",
    "tokenizer_builder_test",
    "tokenizer_test",
    "variant_stream_test",
    "vault_attack_test",
    "vault_proof_test",
    "vault_reader_test",
    "vault_view_test",
    "base_chunk_replay",
    "layout_replay",
    "model_replay",
    "network_replay",
    "revocations_replay",
    "sealed_replay",
    "segment_replay",
    "signature_replay",
    "tokenizer_replay",
    "update_patch_replay",
    "variant_stream_replay",
    "vault_file_replay",
    "vault_view_replay",
]
# The test files that look at a header's inline functions, where they are not called as the header is.
_OWN_TESTS = {
    "codec_format": "gap_tables",
    "column_order": "segment_decoder",
    "prefix_code": "prefix_coding",
    "rans_decoder": "rans_encoder",
}
_QUICK_CASE = 0.1  # Seconds of processor time; what takes longer comes later.
_QUICK_PASS = 3
_MEMORY = 8 << 30  # Bytes of address space for a test: a mutant may ask for any number of them.


def mutable_files(root):
    """The sources that are mutated, and their headers, as paths relative to `root`. Tables (.inc) are data."""
    patterns = ["codec/core/*", "vault/core/*", "restore/core/*", "restore/infer/network_view.*",
                "restore/infer/tokenizer.*", "firmware_riscv/boot/*", "firmware_riscv/update/*"]
    paths = sorted(path for pattern in patterns for path in root.glob(pattern) if path.suffix in (".cc", ".h"))
    return [str(path.relative_to(root)) for path in paths]


class Program:
    """A test program, linked with the library of what may be mutated."""

    def __init__(self, name, link, path, arguments):
        self.name = name
        self.link = link  # The command line that makes it.
        self.path = path
        self.arguments = arguments


@dataclasses.dataclass
class Pass:
    """A run of a program: of the cases that take little time, of the others, or, of a program without cases, of all."""

    program: Program
    cases: list  # Names; empty: the program has none.
    cpu_seconds: float  # Without a mutant.

    def command(self, path=None):
        chosen = [f"--gtest_filter={':'.join(self.cases)}"] if self.cases else []
        return [str(path or self.program.path), *self.program.arguments, *chosen]

    def limit(self):
        return 2 + int(3 * self.cpu_seconds)


def run_limited(command, folder, limit):
    """Runs a test program in `folder`, which is emptied: a pair of what went wrong, or None, and of what it printed.
    `limit`: seconds of processor time; twenty times as long by the clock, for one that sleeps."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()

    def restrict():
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    environment = {**os.environ, "GTEST_FAIL_FAST": "1", "TEST_TMPDIR": str(folder)}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, preexec_fn=restrict, start_new_session=True)
    try:
        output = process.communicate(timeout=20 * limit)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "time", ""
    if process.returncode == 0:
        return None, output
    if -process.returncode in (signal.SIGXCPU, signal.SIGKILL):
        return "time", output
    for line in output.splitlines():
        if line.startswith("[  FAILED  ] ") and "." in line:
            return line.split()[3].rstrip(","), output
    return f"signal {-process.returncode}" if process.returncode < 0 else f"exit status {process.returncode}", output


class MutatedBuild:
    """`build` is a configured Ninja build of the tree at `root`; everything made goes to `work`."""

    def __init__(self, root, build, work, tests=None, quick=False):
        self.root, self.build = root.resolve(), build.resolve()
        self.work = work.resolve()
        self.copy = self.work / "source"
        self.shared_object = self.work / "libmutated.so"
        self.tests = tests or TESTS
        self.quick = quick
        self.files = mutable_files(self.root)
        self._commands = {}  # How to compile the sources, but for the name of the object; the same of tests.
        self._test_commands = {}
        self._good = {}  # Their objects.
        self.passes = []
        self._case_seconds = {}  # By program and case, without a mutant.
        self._killers = {}  # By path: the programs and cases that have killed mutants of that file, the latest first.

    def prepare(self, say, as_built):
        """Builds the tests unless they are to be taken as built, copies the sources, links the programs and times them."""
        if not (self.build / "build.ninja").is_file():
            raise Failure(f"{self.build} is no Ninja build: configure one with `cmake --preset release`")
        say("building the tests")
        if not as_built and subprocess.run(["cmake", "--build", str(self.build), "-j", "1", "--target", *self.tests],
                                           stdout=subprocess.DEVNULL).returncode != 0:
            raise Failure(f"the tests in {self.build} do not build")
        if self.copy.exists():
            shutil.rmtree(self.copy)
        for file in self.files:
            (self.copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.root / file, self.copy / file)
        self._read_commands()
        objects = self.work / "objects"
        shutil.rmtree(objects, ignore_errors=True)
        objects.mkdir(parents=True)
        for number, file in enumerate(self._commands):
            say(f"compiling {file}")
            out = objects / f"{number}.o"
            if not self._compile(file, out):
                raise Failure(f"{file} does not compile")
            self._good[file] = out
        self._link({})
        for test in self.tests:
            say(f"linking {test}")
            program = self._program(test)
            say(f"running {test}")
            self.passes += self._passes(program)
        if self.quick:
            self.passes = [one for one in self.passes if one.cpu_seconds < _QUICK_PASS]

    def _passes(self, program):
        """Tells a program's quick cases from its slow ones, by a run without a mutant or an earlier one of the same."""
        known_path = self.work / "cases.json"
        known = json.loads(known_path.read_text()) if known_path.exists() else {}
        key = f"{program.name} {(self.build / program.name).stat().st_mtime_ns}"
        if key not in known:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            fault, output = run_limited(Pass(program, [], 0).command(), self.work / "run", 600)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if fault is not None:
                raise Failure(f"{program.name} fails without a mutant: {fault}")
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            cases = re.findall(r"^\[       OK \] (\S+)(?:, where .*)? \((\d+) ms\)$", output, flags=re.M)
            # By the clock; the shares are those of the processor's time, too.
            total = sum(int(ms) for _, ms in cases) or 1
            known[key] = {"cpu": cpu, "cases": {name: int(ms) * cpu / total for name, ms in cases}}
            known_path.write_text(json.dumps(known))
        cpu, cases = known[key]["cpu"], known[key]["cases"]
        self._case_seconds.update({(program.name, name): seconds for name, seconds in cases.items()})
        quick = [name for name, seconds in cases.items() if seconds < _QUICK_CASE]
        slow = [name for name, seconds in cases.items() if seconds >= _QUICK_CASE]
        if not quick or not slow:
            return [Pass(program, [], cpu)]
        slow_cpu = sum(cases[name] for name in slow)
        return [Pass(program, quick, cpu - slow_cpu), Pass(program, slow, slow_cpu)]

    def try_mutant(self, mutant):
        """What becomes of the tree with a mutant: a pair of "invalid" (it does not compile),
        "equivalent" (to the same machine code), "killed" or "survived", and by which test and how it was killed."""
        path = mutant.path
        original = (self.copy / path).read_text()
        scratch = self.work / "mutant"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        (self.copy / path).write_text(mutant.apply(original))
        try:
            changed = {}
            for number, file in enumerate(self._affected(path)):
                out = scratch / f"{number}.o"
                if not self._compile(file, out):
                    return "invalid", ""
                if out.read_bytes() != self._good[file].read_bytes():
                    changed[file] = out
            self._link(changed)
            for one in self._in_order(path) if changed else []:
                fault = self._run(one)
                if fault is not None:
                    self._remember(path, one.program, fault)
                    return "killed", f"{one.program.name}: {fault}"
            result = self._try_own_test(path, original, scratch)
            return ("equivalent", "") if result is None and not changed else result or ("survived", "")
        finally:
            (self.copy / path).write_text(original)

    def _run(self, one, path=None):
        return run_limited(one.command(path), self.work / "run", one.limit())[0]

    def _try_own_test(self, path, original, scratch):
        """The same for a header's mutant compiled into the test file that looks at it; None if that makes no difference."""
        if path.endswith(".cc"):
            return None
        stem = pathlib.PurePath(path).stem
        name = _OWN_TESTS.get(stem, stem) + "_test.cc"
        for file, command in self._test_commands.items():
            if pathlib.PurePath(file).name != name:
                continue
            good, out = self.work / "objects" / f"{name}.o", scratch / f"{name}.o"
            if not good.exists():
                mutated = (self.copy / path).read_text()
                (self.copy / path).write_text(original)
                self._run_compiler(command, good)
                (self.copy / path).write_text(mutated)
            if not self._run_compiler(command, out):
                return "invalid", ""
            if out.read_bytes() == good.read_bytes():
                return None
            suffix = "/" + name + ".o"
            for one in self.passes:
                if not any(word.endswith(suffix) for word in one.program.link):
                    continue
                own = scratch / "own_test"
                if not own.exists():
                    words = [word for word in one.program.link if not word.endswith(suffix)]
                    words[words.index("-o") + 1] = str(own)
                    words[1:1] = [str(out)]  # First: of an inline function's copies the linker keeps the first.
                    if subprocess.run(words, cwd=self.build).returncode != 0:
                        raise Failure(f"{one.program.name} does not link with a mutant of {path}")
                fault = self._run(one, own)
                if fault is not None:
                    return "killed", f"{one.program.name}: {fault}"
            return "survived", ""
        return None

    def _remember(self, path, program, case):
        if (program.name, case) in self._case_seconds:
            killers = self._killers.setdefault(path, [])
            if (program, case) in killers:
                killers.remove((program, case))
            killers.insert(0, (program, case))

    def _in_order(self, path):
        """What has killed mutants of the same file comes first, then, of the quick passes, those of its folder."""
        likely = {}
        for program, case in self._killers.get(path, [])[:10]:
            likely.setdefault(program, []).append(case)
        likely = [Pass(program, cases, sum(self._case_seconds[program.name, case] for case in cases))
                  for program, cases in likely.items()]
        near = "tests/" + path.split("/")[0] + "/"
        return likely + sorted(self.passes, key=lambda one: (one.cpu_seconds >= _QUICK_PASS,
                                                             not one.program.name.startswith(near), one.cpu_seconds))

    def _read_commands(self):
        for entry in json.loads((self.build / "compile_commands.json").read_text()):
            file = os.path.relpath(entry["file"], self.root)
            if file in self.files and file not in self._commands:
                self._commands[file] = self._compiler_line(entry, self.copy / file) + [
                    "-O2", "-fPIC", "-fvisibility-inlines-hidden"]
            elif file.endswith("_test.cc"):
                self._test_commands[file] = self._compiler_line(entry, self.root / file) + ["-O0", "-fPIE"]
        missing = [file for file in self.files if file.endswith(".cc") and file not in self._commands]
        if missing:
            raise Failure(f"{self.build} does not compile {missing[0]}")

    def _compiler_line(self, entry, source):
        """The build's own, with the copies found first, and without what depends on the build."""
        words = shlex.split(entry["command"])
        kept = [words[0], f"-I{self.copy}"]
        skip = False
        for word in words[1:]:
            if skip or word in ("-o", "-c", "-include") or word == entry["file"]:
                skip = word in ("-o", "-include")
            elif not word.startswith(("-O", "-W", "-g")):
                kept.append(word)
        return kept + ["-g0", "-w", "-c", str(source)]

    def _compile(self, file, out):
        return self._run_compiler(self._commands[file], out)

    def _run_compiler(self, command, out):
        return subprocess.run([*command, "-o", str(out), "-MMD", "-MF", f"{out}.d"], cwd=self.build,
                              stderr=subprocess.DEVNULL).returncode == 0

    def _affected(self, path):
        """The sources whose objects depend on the file `path`."""
        if path.endswith(".cc"):
            return [path]
        needle = str(self.copy / path)
        return [file for file, out in self._good.items() if needle in pathlib.Path(f"{out}.d").read_text().split()]

    def _link(self, changed):
        objects = [str(changed.get(file, out)) for file, out in self._good.items()]
        compiler = next(iter(self._commands.values()))[0]
        if subprocess.run([compiler, "-shared", "-Wl,-Bsymbolic", *objects, "-o", str(self.shared_object)]).returncode != 0:
            raise Failure("the library of mutants does not link")

    def _program(self, test):
        # The target of that name stands for one file: what it is an alias of.
        alias = subprocess.run(["ninja", "-C", str(self.build), "-t", "query", test], check=True, capture_output=True,
                               text=True).stdout
        built = re.search(r"input: phony\n\s+(\S+)", alias).group(1)
        command = subprocess.run(["ninja", "-C", str(self.build), "-t", "commands", "-s", built], check=True,
                                 capture_output=True, text=True).stdout
        words = next(shlex.split(part) for part in command.split(" && ") if " -o " in part)
        mutable = tuple("/" + file + ".o" for file in self.files)
        words = [word for word in words if not (word.endswith(mutable) and "_test.dir" not in word)]
        path = self.work / test
        words[words.index("-o") + 1] = str(path)
        # First, so that what it defines is not sought in the archives. Boot selection calls a flash driver that most
        # programs do not have.
        words[1:1] = ["-Wl,--no-as-needed", str(self.shared_object), "-Wl,--as-needed", "-Wl,--allow-shlib-undefined"]
        if subprocess.run(words, cwd=self.build).returncode != 0:
            raise Failure(f"{test} does not link with the library of mutants")
        arguments = []
        if test.endswith("_replay"):
            arguments = [str(self.root / "tests" / "fuzz" / "corpus" / test.removesuffix("_replay"))]
        return Program(built, words, path, arguments)

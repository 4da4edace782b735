"""What the scripts in this folder share: finding and building our programs, measuring a command, the models to measure
on, and tables. Python's standard library only."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Failure(Exception):
    """Ends a script with one line on standard error."""


def main(run):
    """Calls run() and turns what a user may run into into one line."""
    try:
        run()
    except Failure as failure:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


def note(text):
    """Progress, for a person watching."""
    if sys.stderr.isatty():
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)


def add_common_options(parser):
    add_build_option(parser)
    parser.add_argument("--work", type=pathlib.Path, metavar="DIR",
                        help="where temporary files go; default: a memory file system if there is one with room, "
                        "so that no disk is measured")


def add_build_option(parser):
    parser.add_argument("--build", type=pathlib.Path, metavar="DIR",
                        help="a release build of this tree with MODELVAULT_BENCH=ON; default: build/, made if need be")


class Programs:
    """Paths of our programs."""

    def __init__(self, build, targets=("mvault", "bench_programs")):
        if build is None:
            build = ROOT / "build"
            self._make(build, targets)
        self.mvault = build / "mvault"
        self.mvault_demo = build / "mvault_demo"
        self.run_measured = build / "bench" / "run_measured"
        self.delta_plane = build / "bench" / "delta_plane"
        self.time_restore = build / "bench" / "time_restore"
        self.generate_large = build / "bench" / "generate_large"
        self.generate_scale = build / "bench" / "generate_scale"
        self.peer_sizes = build / "bench" / "peer_sizes"
        self.load_by_c = build / "bench" / "load_by_c"
        self.c_library = build / "restore" / "c_api" / "libmodelvault.so.0"
        needed = [self.mvault]
        if "bench_programs" in targets:
            needed += [self.run_measured, self.delta_plane, self.time_restore, self.generate_large, self.load_by_c,
                       self.generate_scale, self.peer_sizes]
        for program in needed:
            if not program.exists():
                raise Failure(f"{program} is missing: build the targets {' and '.join(targets[:2])} there")

    @staticmethod
    def _make(build, targets):
        commands = []
        if not (build / "CMakeCache.txt").exists():
            commands.append([str(ROOT / "scripts" / "install-deps"), "bench"])
            commands.append(["cmake", "--preset", "release", "-DMODELVAULT_TESTS=OFF",
                             "-DMODELVAULT_RISCV=ON"])
        commands.append(["cmake", "--build", str(build), "--target", *targets])
        for command in commands:
            note(" ".join(command))
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  check=False)
            if done.returncode != 0:
                raise Failure(f"{' '.join(command)} failed:\n{done.stdout}")


def temporary_folder():
    return pathlib.Path(tempfile.gettempdir())


class WorkFolder:
    """A temporary folder that goes with the with-block."""

    def __init__(self, parent, needed):
        if parent is None:
            memory = pathlib.Path("/dev/shm")
            fits = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > needed
            parent = memory if fits else temporary_folder()
        free = shutil.disk_usage(parent).free
        if free < needed:
            raise Failure(f"{parent}: {free / 1e9:.1f} GB free, {needed / 1e9:.1f} needed; give another with --work")
        self.parent = parent
        self._path = None

    def __enter__(self):
        self._path = tempfile.mkdtemp(prefix="modelvault-bench-", dir=self.parent)
        return pathlib.Path(self._path)

    def __exit__(self, *_):
        shutil.rmtree(self._path, ignore_errors=True)


def run(command, stdout=subprocess.DEVNULL):
    """Runs a command that must succeed; returns what it printed if `stdout` is PIPE."""
    done = subprocess.run([str(c) for c in command], stdout=stdout, stderr=subprocess.PIPE, check=False)
    _check(done, command)
    return done.stdout


def _check(done, command):
    if done.returncode != 0:
        message = done.stderr.decode(errors="replace").strip()
        raise Failure(f"{' '.join(str(c) for c in command)}: exit status {done.returncode}: {message}")


def run_json(command):
    return json.loads(run(command, stdout=subprocess.PIPE))


def measure(programs, folder, command, must_succeed=True):
    """Runs a command; returns wall_s, user_s, system_s and peak_rss_bytes."""
    return _measure(programs, folder, command, must_succeed, subprocess.DEVNULL)[1]


def measure_json(programs, folder, command):
    """Runs a command that must succeed and prints JSON; returns that, and what measure() returns."""
    printed, used = _measure(programs, folder, command, True, subprocess.PIPE)
    return json.loads(printed), used


def _measure(programs, folder, command, must_succeed, stdout):
    report = folder / "measured.json"
    done = subprocess.run([str(programs.run_measured), str(report), *[str(c) for c in command]],
                          stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, check=False)
    if must_succeed:
        _check(done, command)
    return done.stdout, json.loads(report.read_text())


def fastest(programs, folder, command, repeat, must_succeed=True):
    """The run of `repeat` with the least wall time: the one least disturbed by what else the machine does."""
    runs = [measure(programs, folder, command, must_succeed) for _ in range(repeat)]
    return min(runs, key=lambda r: r["wall_s"])


def instructions(command, folder):
    """Instructions of a whole process, the dynamic linker's included; None without valgrind."""
    if shutil.which("valgrind") is None:
        return None
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'callgrind.out'}", *command]
    done = subprocess.run([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          check=False)
    found = re.search(r"Collected : ([0-9]+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise Failure(f"valgrind: {done.stderr.strip()}")
    return int(found[1])


class ModelSet:
    """A base and its variants."""

    def __init__(self, name, folder, limit=None):
        self.name = name
        self.base = folder / "base.safetensors"
        self.variants = sorted((folder / "variants").glob("[!.]*.safetensors"))
        if not self.base.exists() or not self.variants:
            raise Failure(f"{folder}: expected base.safetensors and variants/*.safetensors")
        if limit is not None:
            self.variants = self.variants[:limit]

    def pack(self, programs, vault):
        """The command that packs it."""
        command = [programs.mvault, "pack", "--base", self.base, "-o", vault, "--json"]
        for path in self.variants:
            command += ["--variant", f"{path.stem}={path}"]
        return command


def add_model_options(parser):
    parser.add_argument("--models", type=pathlib.Path, metavar="DIR",
                        help="measure on DIR/base.safetensors and DIR/variants/*.safetensors; default: the corpus")
    parser.add_argument("--corpus", type=pathlib.Path, metavar="DIR",
                        default=os.environ.get("MODELVAULT_CORPUS", ROOT.parent / "shared" / "corpus"),
                        help="folder of the corpus; where there is none, the demo's models are trained and used")


def model_sets(options, programs, folder, limit=None):
    """What to measure on: the models given, or both INT8 sets of the corpus, or the demo's."""
    if options.models is not None:
        return [ModelSet(options.models.name, options.models, limit)]
    corpus = options.corpus / "medquad-260k"
    if corpus.is_dir():
        return [ModelSet(name, corpus / name, limit) for name in ("int8", "int8-full")]
    if not programs.mvault_demo.exists():
        raise Failure(f"{programs.mvault_demo} is missing: build the target mvault_demo there")
    note("no corpus: training the demo's models")
    demo = folder / "demo"
    departments = 100 if limit is None else limit
    run([programs.mvault_demo, "train", "--out", demo, "--departments", str(departments)])
    note("no corpus: fitting the demo's models")
    # What 100 have in 1 MiB beside a base of a quarter of it.
    budget = 2**18 + departments * 7864
    run([programs.mvault, "fit", "--base", demo / "base.safetensors", "--variants", demo / "variants", "--curvature",
         demo / "curvature.safetensors", "--budget", str(budget), "-o", demo / "fit.mvlt", "--export-int8",
         demo / "int8"])
    return [ModelSet("demo", demo / "int8", limit)]


def tensor_entries(path):
    """What a safetensors file's header says of each tensor, in data order, and where the data begins."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return dict(sorted(header.items(), key=lambda item: item[1]["data_offsets"])), 8 + size


def format_table(rows, markdown):
    """`rows`: the heads first. Columns from the second on are right-aligned."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        lines.append("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip())
        if number == 0:
            rule = ["-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
            lines.append("|" + "|".join(f" {r} " for r in rule) + "|" if markdown else
                         "  ".join("-" * w for w in widths))
    return "\n".join(lines)

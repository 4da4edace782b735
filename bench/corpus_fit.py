"""Fitting the corpus and scoring what comes out: what the scripts that begin with `fit` share."""

import json
import os
import pathlib
import subprocess
import sys
import time
import typing

import harness

CORPUS = harness.ROOT.parent / "shared" / "corpus" / "medquad-260k"

# How much more errors of some tensors count than their own curvature says: chosen on slices of the training text.
TENSOR_WEIGHTS = (".w1=2.5", ".w3=2.5", ".w2=2", ".wk=0.7", "layers.4=1.4", "embed=1.5")
WEIGHTED = [text for weight in TENSOR_WEIGHTS for text in ("--tensor-weight", weight)]


class Used(typing.NamedTuple):
    """What a run took."""

    wall_s: float
    user_s: float
    peak_bytes: int


# A process begins with the peak memory of the one that starts it, so a small one has to: this writes what the command
# after the descriptor took there, and ends as it does.
_MEASURE = """
import os, sys
process = os.fork()
if process == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(process, 0)
os.write(int(sys.argv[1]), f"{usage.ru_utime} {usage.ru_maxrss * 1024}".encode())
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"""


def run_fit(command):
    """Runs a `mvault fit --json`; its report, and what it took."""
    began = time.monotonic()
    reading, writing = os.pipe()
    measured = [sys.executable, "-I", "-S", "-c", _MEASURE, str(writing), *[str(c) for c in command]]
    done = subprocess.run(measured, stdout=subprocess.PIPE, pass_fds=(writing,), check=False)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        user, peak = pipe.read().split()
    if done.returncode != 0:
        raise harness.Failure(f"mvault fit ended with {done.returncode}")
    return json.loads(done.stdout), Used(time.monotonic() - began, float(user), int(peak))


def check_corpus():
    if not CORPUS.exists():
        raise harness.Failure(f"there is no corpus in {CORPUS}")


def fit(mvault, out, options, budget):
    """Fits the corpus."""
    return run_fit([mvault, "fit", "--base", CORPUS / "base.safetensors", "--variants", CORPUS / "variants",
                    "--curvature", CORPUS / "curvature.safetensors", "--importance", CORPUS / "importance.safetensors",
                    "--budget", budget, "-o", out, "--json", *options])


def evaluate(mvault, source):
    """The summary of `mvault eval` of a vault or a folder of models, on the held-out records."""
    return harness.run_json([mvault, "eval", source, "--model", CORPUS / "corpus.json", "--tokens",
                             CORPUS / "heldout", "--json"])["summary"]

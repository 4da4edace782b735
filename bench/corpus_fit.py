"""Fitting the corpus and scoring what comes out: what the scripts that begin with `fit` share."""

import json
import os
import pathlib
import resource
import subprocess
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


def run_fit(command):
    """Runs a `mvault fit --json`; its report, and what it took."""
    began = time.monotonic()
    with subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE) as process:
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise harness.Failure(f"mvault fit ended with {process.returncode}")
    assert usage.ru_maxrss <= resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return json.loads(text), Used(time.monotonic() - began, usage.ru_utime, usage.ru_maxrss * 1024)


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

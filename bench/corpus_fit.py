"""Fitting the corpus and scoring what comes out: what the scripts that begin with `fit` share."""

import harness

CORPUS = harness.ROOT.parent / "shared" / "corpus" / "medquad-260k"

# How much more errors of some tensors count than their own curvature says: chosen on slices of the training text.
TENSOR_WEIGHTS = (".w1=2.5", ".w3=2.5", ".w2=2", ".wk=0.7", "layers.4=1.4", "embed=1.5")
WEIGHTED = [text for weight in TENSOR_WEIGHTS for text in ("--tensor-weight", weight)]


def check_corpus():
    if not CORPUS.exists():
        raise harness.Failure(f"there is no corpus in {CORPUS}")


def fit(programs, out, options, budget):
    """Fits the corpus; the report of `mvault fit`, and what it took (harness.measure)."""
    return harness.measure_json(programs, out.parent, [
        programs.mvault, "fit", "--base", CORPUS / "base.safetensors", "--variants", CORPUS / "variants", "--curvature",
        CORPUS / "curvature.safetensors", "--importance", CORPUS / "importance.safetensors", "--budget", budget, "-o",
        out, "--json", *options])


def evaluate(programs, source):
    """What `mvault eval` says of a vault or a folder of models, on the held-out records."""
    return harness.run_json([programs.mvault, "eval", source, "--model", CORPUS / "corpus.json", "--tokens",
                             CORPUS / "heldout", "--json"])


def summary_of(programs, source):
    """The summary of that."""
    return evaluate(programs, source)["summary"]

"""Fitting the corpus and scoring what comes out: what the scripts that begin with `fit` share."""

import harness

CORPUS = harness.ROOT.parent / "shared" / "corpus" / "medquad-260k"

# How much more errors of some tensors count than their own curvature says: computed by bench/derive_tensor_weights.
WEIGHTS_FILE = harness.ROOT / "bench" / "tensor_weights.txt"
WEIGHTED = ["--tensor-weights", str(WEIGHTS_FILE)]

# The same, tuned by hand on slices of the training text before those could be computed.
BY_HAND = [text for weight in (".w1=2.5", ".w3=2.5", ".w2=2", ".wk=0.7", "layers.4=1.4", "embed=1.5")
           for text in ("--tensor-weight", weight)]

# What the base alone takes of 1 MiB (docs/fit.md), and the vault whose parameters are chosen.
_BASE_BYTES, _ALL, _BUDGET = 215_722, 100, 2**20
_GRID_FACTOR = 2.5  # The default of `mvault fit`.


def weights():
    """Pairs of a text in tensors' names and a factor."""
    lines = WEIGHTS_FILE.read_text(encoding="utf-8").splitlines()
    return [(text, float(factor)) for text, factor in (line.rsplit("=", 1) for line in lines)]


def check_corpus():
    if not CORPUS.exists():
        raise harness.Failure(f"there is no corpus in {CORPUS}")


def fit(programs, out, options, budget):
    """Fits the corpus; the report of `mvault fit`, and what it took (harness.measure)."""
    return harness.measure_json(programs, out.parent, _command(
        programs, ["--variants", CORPUS / "variants"], budget, out, options))


def _command(programs, variants, budget, out, options):
    return [programs.mvault, "fit", "--base", CORPUS / "base.safetensors", *variants, "--curvature",
            CORPUS / "curvature.safetensors", "--importance", CORPUS / "importance.safetensors", "--budget", budget, "-o",
            out, "--json", *options]


def evaluate(programs, source):
    """What `mvault eval` says of a vault or a folder of models, on the held-out records."""
    return harness.run_json([programs.mvault, "eval", source, "--model", CORPUS / "corpus.json", "--tokens",
                             CORPUS / "heldout", "--json"])


def summary_of(programs, source):
    """The summary of that."""
    return evaluate(programs, source)["summary"]


def fit_slices(programs, names, models, options):
    """Fits some of the departments as they would be fitted among all: with the bytes that they would have in 1 MiB, and
    a base with the steps it would have (they go by one over the root of the number of variants). Leaves the INT8 models
    in `models`; the report."""
    budget = round(_BASE_BYTES + len(names) * (_BUDGET - _BASE_BYTES) / _ALL)
    variants = [text for name in names for text in ("--variant", f"{name}={CORPUS / 'variants' / name}.safetensors")]
    grid = [] if "--grid-factor" in options else ["--grid-factor", f"{_GRID_FACTOR * (len(names) / _ALL) ** 0.5:.6g}"]
    models.mkdir(parents=True, exist_ok=True)
    return harness.run_json(_command(
        programs, variants, budget, models / "fit.mvlt", ["--export-int8", models, *grid, *options]))

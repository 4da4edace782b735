"""Fitting the corpus and scoring what comes out: what the scripts that begin with `fit` share."""

import harness

CORPUS = harness.ROOT.parent / "shared" / "corpus" / "medquad-260k"

# Where bench/make_curvature leaves its file.
CURVATURE = harness.ROOT / "build" / "curvature.safetensors"

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
    # A curvature file of one's own, such as bench/make_curvature's, has the importance as well.
    known = [] if "--curvature" in options else ["--curvature", CORPUS / "curvature.safetensors", "--importance",
                                                 CORPUS / "importance.safetensors"]
    return [programs.mvault, "fit", "--base", CORPUS / "base.safetensors", *variants, *known, "--budget", budget,
            "-o", out, "--json", *options]


def evaluate(programs, source):
    """What `mvault eval` says of a vault or a folder of models, on the held-out records."""
    return harness.run_json([programs.mvault, "eval", source, "--model", CORPUS / "corpus.json", "--tokens",
                             CORPUS / "heldout", "--json"])


def summary_of(programs, source):
    """The summary of that."""
    return evaluate(programs, source)["summary"]


def fit_slices(programs, names, models, options):
    """Fits some of the departments as they would be fitted among all. Leaves the INT8 models in `models`; the
    report."""
    variants = [text for name in names for text in ("--variant", f"{name}={CORPUS / 'variants' / name}.safetensors")]
    budget, among_all = slice_options(len(names))
    models.mkdir(parents=True, exist_ok=True)
    return harness.run_json(_command(
        programs, variants, budget, models / "fit.mvlt",
        ["--export-int8", models, *([] if "--grid-factor" in options else among_all), *options]))


def slice_options(count):
    """How so many departments are fitted as if among all: the bytes that they would have in 1 MiB, and options that
    give the base the steps it would have (they go by one over the root of the number of variants)."""
    budget = round(_BASE_BYTES + count * (_BUDGET - _BASE_BYTES) / _ALL)
    return budget, ["--grid-factor", f"{_GRID_FACTOR * (count / _ALL) ** 0.5:.6g}"]

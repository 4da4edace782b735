"""What bench/train_departments does for one department, in a process of its own, whose only argument is the job in JSON.
"""

import dataclasses
import functools
import hashlib
import json
import math
import os
import pathlib
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools" / "python"))

# pylint: disable=wrong-import-position
import torch
from torch.nn import functional
from torch.nn.utils import parametrize

import llama
import modelvault
from modelvault.training import safetensors

allocate = modelvault.allocate

# Of each 64 records of 128 tokens of train/NAME.tok the last 8 are those that parameters are chosen on. Fine-tunes have
# seen them, though, so as many from a department that the fine-tune has not seen and does well on are scored, too.
_ASIDE_OF, _ASIDE = 64, 8
# Rows of a batch where nothing is trained: one core's cache likes them small.
_SCORE_BATCH = 32


@dataclasses.dataclass
class Job:
    """How one department is trained, and where to."""
    name: str
    corpus: str
    base: str
    priors: str
    out: str
    budget: float
    steps: int
    batch: int
    kl: float
    scales: str
    price: str
    side: bool
    seed: int
    set_aside: bool
    start: str
    foreign: str
    inputs: str  # A digest of all files it reads.

    def to_json(self):
        return dataclasses.asdict(self)


@functools.lru_cache(maxsize=None)
def _digest_of_file(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def digest(*paths):
    """Of what is in the files, in this order."""
    return hashlib.sha256(" ".join(_digest_of_file(str(path)) for path in paths).encode()).hexdigest()


def digest_of_corpus(corpus):
    names = department_names(corpus)
    return digest(corpus / "corpus.json", corpus / "base.safetensors",
                  *(corpus / "variants" / f"{name}.safetensors" for name in names),
                  *(corpus / "train" / f"{name}.tok" for name in names))


def job_inputs(corpus, base, priors, name):
    return digest(base, *([priors] if priors else []), corpus / "variants" / f"{name}.safetensors",
                  corpus / "train" / f"{name}.tok")


def kept(path, of, make):
    """What make() gives, kept in a file together with `of`, what it depends on: made again when that is another."""
    if path.exists():
        document = json.loads(path.read_text())
        if document.get("of") == of:
            return document["result"]
    result = make()
    write_json(path, {"of": of, "result": result})
    return result


def read_config(corpus):
    return json.loads((pathlib.Path(corpus) / "corpus.json").read_text())["config"]


def department_names(corpus):
    return sorted(v["name"] for v in json.loads((pathlib.Path(corpus) / "corpus.json").read_text())["variants"])


def load_model(config, path):
    model = llama.Llama(config)
    model.load_state_dict({f"{name}.weight": tensor.float() for name, tensor in modelvault.load(path).items()})
    return model.eval()


def read_records(path, length, step):
    """Records of `length` + 1 tokens, one beginning each `step` tokens. In heldout/ they lie side by side."""
    tokens = torch.frombuffer(bytearray(pathlib.Path(path).read_bytes()), dtype=torch.int16).to(torch.int64)
    return tokens.unfold(0, length + 1, step).contiguous()


def split_aside(records):
    place = torch.arange(len(records)) % _ASIDE_OF
    aside = place >= _ASIDE_OF - _ASIDE
    return records[~aside], records[aside]


def spread(records, count):
    """`count` records, evenly spread."""
    return records[torch.linspace(0, len(records) - 1, min(count, len(records))).long()]


@torch.no_grad()
def foreign_departments(corpus, names):
    """For each name the other department on whose text its fine-tune gains most over the base."""
    torch.set_num_threads(1)
    config = read_config(corpus)
    length = config["eval_context"]
    everyone = department_names(corpus)
    records = {n: spread(read_records(corpus / "train" / f"{n}.tok", length, length), 6) for n in everyone}
    base = load_model(config, corpus / "base.safetensors")
    of_base = {n: score(base, r)[1] for n, r in records.items()}
    found = {}
    for name in names:
        finetune = load_model(config, corpus / "variants" / f"{name}.safetensors")
        gains = {n: of_base[n] - score(finetune, r)[1] for n, r in records.items() if n != name}
        found[name] = max(gains, key=gains.get)
    return found


@torch.no_grad()
def score(model, records):
    """top-1 and nats a token."""
    right, nats, count = 0, 0.0, 0
    with parametrize.cached():
        for part in records.split(_SCORE_BATCH):
            logits = model(part[:, :-1]).flatten(0, 1)
            targets = part[:, 1:].flatten()
            right += int((logits.argmax(-1) == targets).sum())
            nats += float(functional.cross_entropy(logits, targets, reduction="sum"))
            count += targets.numel()
    return right / count, nats / count


@torch.no_grad()
def answers(model, records):
    """The model's probabilities, in 16 bits: computed once, used in every pass over the records."""
    return torch.cat([model(part[:, :-1]).softmax(-1).to(torch.float16) for part in records.split(_SCORE_BATCH)])


class Batches:
    """Passes over the records in an order drawn anew each time."""

    def __init__(self, records, probabilities, size, seed):
        self._records, self._probabilities = records, probabilities
        self._size = min(size, len(records))
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        order = torch.randperm(len(self._records), generator=self._generator)
        for chosen in order[:len(order) // self._size * self._size].split(self._size):
            records = self._records[chosen]
            batch = (records[:, :-1], records[:, 1:])
            yield batch if self._probabilities is None else (*batch, self._probabilities[chosen])


def train(job):
    """Trains a department and writes its file and, last, its report."""
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    corpus = pathlib.Path(job.corpus)
    config = read_config(corpus)
    began = time.monotonic()
    length = config["eval_context"]
    records, aside = split_aside(read_records(corpus / "train" / f"{job.name}.tok", length, length))
    if not job.set_aside:
        records = torch.cat([records, aside])
    teacher = load_model(config, corpus / "variants" / f"{job.name}.safetensors")
    batches = Batches(records, answers(teacher, records) if job.kl > 0 else None, job.batch, job.seed)
    # Where training begins at the fine-tune, it begins at its distance from the base.
    model = load_model(config, job.base if job.start == "base" else corpus / "variants" / f"{job.name}.safetensors")
    plan = modelvault.attach(model, job.base, job.budget, priors=job.priors or None, scales=job.scales, price=job.price,
                             side=job.side, start=job.start)
    started = time.monotonic()
    modelvault.distill(model, None, batches, job.steps, kl=job.kl)
    step_seconds = (time.monotonic() - started) / job.steps
    count = modelvault.export(model, job.out)
    report = {"job": job.to_json(), "predicted_bytes": count.total, "trits": count.trits, "scales": count.scales,
              "side": count.side, "threshold": plan.threshold, "shrink": plan.shrink,
              "step_seconds": step_seconds, "seconds": time.monotonic() - began}
    if job.set_aside:
        report["aside_top1"], report["aside_nll"] = score(model, aside)
        report["finetune_aside_top1"], report["finetune_aside_nll"] = score(teacher, aside)
    if job.foreign:
        records = read_records(corpus / "train" / f"{job.foreign}.tok", length, length)
        records = spread(records, 64)
        report["foreign_top1"], report["foreign_nll"] = score(model, records)
        report["finetune_foreign_top1"], report["finetune_foreign_nll"] = score(teacher, records)
    write_json(_report_path(job), report)


def _report_path(job):
    return pathlib.Path(job.out).with_suffix(".json")


def read_report(job):
    return json.loads(_report_path(job).read_text())


def is_done(job):
    """Whether this very job was done: the report is written last, and has the job. Where files lie does not matter, what
    is in them does."""
    def essence(fields):
        return {key: value for key, value in fields.items() if key not in ("corpus", "base", "priors", "out")}
    path = _report_path(job)
    return path.exists() and pathlib.Path(job.out).exists() and essence(read_report(job)["job"]) == essence(job.to_json())


def write_json(path, document):
    safetensors.write_bytes(path, [json.dumps(document, indent=1).encode()])


def write_priors(base, jobs, path):
    modelvault.Priors.from_variants(base, [job.out for job in jobs]).save(path)


def needs(corpus, names):
    """The divergence of each fine-tune from the base on 32 records of its own text, nats a token."""
    config = read_config(corpus)
    base = load_model(config, pathlib.Path(corpus) / "base.safetensors")
    found = {}
    with torch.no_grad():
        for name in names:
            length = config["eval_context"]
            records = read_records(pathlib.Path(corpus) / "train" / f"{name}.tok", length, length)
            inputs = spread(records, 32)[:, :-1]
            finetune = load_model(config, pathlib.Path(corpus) / "variants" / f"{name}.safetensors")
            theirs, ours = finetune(inputs).log_softmax(-1), base(inputs).log_softmax(-1)
            found[name] = float((theirs.exp() * (theirs - ours)).sum(-1).mean())
    return found


def speed(corpus, base, priors, name, blocks=5):
    """Seconds of processor time a step: a plain fine-tune of the float model on the text, and the ternary model on the
    text alone, with the teacher's answers from memory, and with the teacher asked at each step. A block is as many steps
    as there are between two counts of the bytes, so that each has one count; they take turns of `blocks` blocks, so that
    what else the machine does falls on all, and the median of the blocks' means counts."""
    block = modelvault.training.plan.CONTROL_INTERVAL
    rounds = blocks * block + 1  # The first is for warming up.
    torch.set_num_threads(1)
    config = read_config(corpus)
    length = config["eval_context"]
    records = read_records(pathlib.Path(corpus) / "train" / f"{name}.tok", length, length)[:64]
    teacher = load_model(config, pathlib.Path(corpus) / "variants" / f"{name}.safetensors")
    plain = load_model(config, pathlib.Path(corpus) / "base.safetensors")
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-4)

    def fine_tune():
        while True:
            for part in records.split(8):
                optimizer.zero_grad(set_to_none=True)
                functional.cross_entropy(plain(part[:, :-1]).flatten(0, 1), part[:, 1:].flatten()).backward()
                optimizer.step()
                yield

    def ternary(kl, asked):
        model = load_model(config, base)
        modelvault.attach(model, base, 8200, priors=priors or None)
        known = answers(teacher, records) if kl and not asked else None
        ticks = []
        modelvault.distill(model, teacher if asked else None, Batches(records, known, 8, 1), rounds, kl=kl,
                           report=lambda _: ticks.append(time.process_time()))
        return means(ticks)

    def means(ticks):
        return [(b - a) / block for a, b in zip(ticks[::block], ticks[block::block])]

    def measure_plain():
        steps, ticks = fine_tune(), []
        for _ in range(rounds):
            next(steps)
            ticks.append(time.process_time())
        return means(ticks)

    found = {}
    for _ in range(3):
        for title, run in (("plain fine-tune", measure_plain), ("ternary, text alone", lambda: ternary(0.0, False)),
                           ("ternary, teacher's answers kept", lambda: ternary(0.5, False)),
                           ("ternary, teacher asked", lambda: ternary(0.5, True))):
            found.setdefault(title, []).extend(run())
    return {title: sorted(times)[len(times) // 2] for title, times in found.items()}


def check_model(corpus):
    """Our forward pass must score as corpus.json says, on the department with the fewest held-out records."""
    document = json.loads((pathlib.Path(corpus) / "corpus.json").read_text())
    config = document["config"]
    expected = min(document["variants"], key=lambda v: (v["windows"], v["name"]))
    records = read_records(pathlib.Path(corpus) / "heldout" / f"{expected['name']}.tok", config["eval_context"],
                           config["eval_context"] + 1)
    for what, path in (("base", "base.safetensors"), ("variant", f"variants/{expected['name']}.safetensors")):
        top1, nll = score(load_model(config, pathlib.Path(corpus) / path), records)
        if abs(nll - expected[f"{what}_nll"]) > 1e-3 or abs(top1 - expected[f"{what}_top1"]) > 1e-3:
            raise RuntimeError(f"{what} of {expected['name']}: {top1:.5f} and {nll:.5f} nats, corpus.json has "
                               f"{expected[f'{what}_top1']} and {expected[f'{what}_nll']}")


def size(text):
    """A SIZE as mvault takes it, in bytes."""
    units = {"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "kib": 2**10, "mib": 2**20}
    number = text.rstrip("BbKkMmIi")
    unit = text[len(number):].lower()
    if unit not in units or not math.isfinite(float(number)):
        raise ValueError(f"'{text}' is not a size such as 512KiB or 1MiB")
    return float(number) * units[unit]


if __name__ == "__main__":
    train(Job(**json.loads(sys.argv[1])))

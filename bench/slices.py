"""Slices of the corpus' training text, and what restored models lose on them: docs/fit.md, "The corpus"."""

import dataclasses
from typing import Dict, List

import torch
from torch.nn import functional

import corpus_fit
import department_training as training

EVERY, OFFSET = 6, 5
RECORDS = 16


@dataclasses.dataclass
class Slices:
    """Of some departments: token records [n, 129] of their own training text and of another department's."""
    names: List[str]
    own: Dict[str, torch.Tensor]
    other: Dict[str, torch.Tensor]


def department_names(offset):
    """Every sixth department."""
    return training.department_names(corpus_fit.CORPUS)[offset::EVERY]


def own_records(name):
    length = training.read_config(corpus_fit.CORPUS)["eval_context"]
    return training.spread(training.read_records(corpus_fit.CORPUS / "train" / f"{name}.tok", length, length), RECORDS)


def read(out, offset):
    """The slices of every sixth department; `out` keeps which other department goes with each."""
    names = department_names(offset)
    of = {"corpus": training.digest_of_corpus(corpus_fit.CORPUS), "names": names}
    others = training.kept(out / f"others-{offset}.json", of,
                           lambda: training.foreign_departments(corpus_fit.CORPUS, names))
    return Slices(names, {name: own_records(name) for name in names}, {name: own_records(others[name]) for name in names})


def text_of_all(count):
    """Inputs of `count` records of each department's training text, a record a batch."""
    corpus = corpus_fit.CORPUS
    length = training.read_config(corpus)["eval_context"]
    for name in training.department_names(corpus):
        records = training.spread(training.read_records(corpus / "train" / f"{name}.tok", length, length), count)
        yield from records[:, :-1].split(1)


def base_file():
    return corpus_fit.CORPUS / "base.safetensors"


def base_model():
    return _load(base_file())


def finetune_file(name):
    return corpus_fit.CORPUS / "variants" / f"{name}.safetensors"


def finetune(name):
    return _load(finetune_file(name))


def restored_file(models, name):
    return models / "variants" / f"{name}.safetensors"


def _load(path):
    return training.load_model(training.read_config(corpus_fit.CORPUS), path)


@torch.no_grad()
def score(slices, models):
    """Of restored models, against the fine-tunes, all departments pooled: KL from the fine-tune on its own text, nats a
    token; changes of the loss and of top-1 on both texts, half and half."""
    kl = count = 0.0
    change = {"own": [0.0, 0.0, 0.0], "other": [0.0, 0.0, 0.0]}
    for name in slices.names:
        theirs, ours = finetune(name), _load(restored_file(models, name))
        for which, records in (("own", slices.own[name]), ("other", slices.other[name])):
            targets = records[:, 1:].flatten()
            p, q = (model(records[:, :-1]).flatten(0, 1).log_softmax(-1) for model in (theirs, ours))
            if which == "own":
                kl += float(functional.kl_div(q, p, reduction="sum", log_target=True))
                count += len(targets)
            sums = change[which]
            sums[0] += float((p - q).gather(1, targets[:, None]).sum())
            sums[1] += int((q.argmax(-1) == targets).sum()) - int((p.argmax(-1) == targets).sum())
            sums[2] += len(targets)
    half = [sum(sums[i] / sums[2] for sums in change.values()) / 2 for i in range(2)]
    return {"kl": kl / count, "loss": half[0], "top1": half[1]}

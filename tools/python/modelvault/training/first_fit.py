"""A fit by `mvault`, of which only the models are kept that it restores: what tensor weights are derived from."""

import contextlib
import os
import pathlib
import subprocess
import tempfile
from typing import Iterator, List, Mapping, Optional, Sequence, Union

import torch

from . import curvature_file, safetensors
from .errors import AttachError
from .tensor_weights import Variant


@contextlib.contextmanager
def exported_variants(variants: Sequence[Variant], known: Mapping[str, torch.Tensor], *,
                      base: Optional[safetensors.Path], budget: Union[None, int, str], program: safetensors.Path,
                      options: Sequence[str]) -> Iterator[List[Variant]]:
    """The variants that have batches, each with the file that the fit restores it from in place of its own; these files
    are there until the end of the with-block. `known`: what the curvature file has so far."""
    if all(batches is None for _, _, batches in variants):
        raise AttachError("variants: at least one is needed with batches; leave them out for a file without tensor "
                          "weights")
    with tempfile.TemporaryDirectory(prefix="modelvault-fit-") as temporary:
        folder = pathlib.Path(temporary)
        curvature_file.write(folder / "curvature", known)
        # Of old, `fit` looks for importance in a file of its own alone.
        safetensors.write(folder / "importance", curvature_file.diagonals(known))
        command = ["fit", "--curvature", folder / "curvature", "--importance", folder / "importance", "-o",
                   folder / "first.mvlt", "--export-int8", folder / "int8", "--json"]
        command += [] if base is None else ["--base", base]
        command += [] if budget is None else ["--budget", budget]
        names = _names_of([pathlib.Path(path) for _, path, _ in variants])
        for name, (_, path, _) in zip(names, variants):
            command += ["--variant", f"{name}={os.path.abspath(path)}"]
        _run(program, [*command, *options])
        yield [(model, folder / "int8" / "variants" / f"{name}.safetensors", batches)
               for name, (model, _, batches) in zip(names, variants) if batches is not None]


def _names_of(paths: List[pathlib.Path]) -> List[str]:
    """The files' own, as `fit --variants` has them; numbered where two are alike."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [f"{number}-{stem}" for number, stem in enumerate(stems)]


def _run(program: safetensors.Path, arguments: List[object]) -> None:
    command = [os.fspath(program), *map(str, arguments)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              check=False)
    except OSError as error:
        raise AttachError(f"the first fit needs mvault, and {command[0]} cannot be run ({error.strerror}): program= "
                          "takes its path") from None
    if done.returncode:
        raise AttachError(f"the first fit ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")

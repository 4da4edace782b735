"""Fine-tunes that are born small: trains a model as an INT8 base plus ternary differences, at a price for each byte
that `mvault pack` will store. docs/fine-tuning.md tells how."""

from .allocate import allocate
from .attach import attach, plan_of
from .base_model import BaseModel
from .byte_count import ByteCount, ByteCounter
from .curvature import add_tensor_weights, curvature
from .distill import Progress, distill
from .errors import AttachError, ModelFileError
from .export import export, load
from .lora import apply_lora
from .plan import Plan
from .priors import Priors
from .tensor_weights import tensor_weights, write_tensor_weights

__all__ = ["AttachError", "BaseModel", "ByteCount", "ByteCounter", "ModelFileError", "Plan", "Priors", "Progress",
           "add_tensor_weights", "allocate", "apply_lora", "attach", "curvature", "distill", "export", "load", "plan_of",
           "tensor_weights", "write_tensor_weights"]

"""Fast prediction on CPUs, and models in files that can be opened without trust."""

from skbird.inference._compile import compile_pipeline
from skbird.inference._load_model import load_model
from skbird.inference._model_archive import ModelFileError
from skbird.inference._network import CompiledNetwork
from skbird.inference._onnx import export_onnx
from skbird.inference._pipeline import CompiledPipeline
from skbird.inference._save_model import save_model
from skbird.inference._trained_on import trained_on
from skbird.utils._public import set_public_module

__all__ = [
    "CompiledNetwork",
    "CompiledPipeline",
    "ModelFileError",
    "compile_pipeline",
    "export_onnx",
    "load_model",
    "save_model",
    "trained_on",
]

set_public_module(globals())

# For the other rooms; not public.
from skbird.inference._probe import CompiledProbe

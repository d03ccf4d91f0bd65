"""Prediction: fast on CPUs, and of archives of any size."""

from skbird.inference._compile import compile_pipeline
from skbird.inference._model_file import (
    ModelFileError,
    load_model,
    save_model,
    trained_on,
)
from skbird.inference._network import CompiledNetwork
from skbird.inference._onnx import export_onnx
from skbird.inference._pipeline import CompiledPipeline
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

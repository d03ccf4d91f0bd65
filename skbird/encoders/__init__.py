"""Pretrained models as steps of a pipeline: embeddings, and scores of their classes."""

from skbird.encoders._attention_probe import AttentionProbe
from skbird.encoders._check_encoder import check_encoder
from skbird.encoders._embedding_encoder import EmbeddingEncoder
from skbird.encoders._encoder import Encoder
from skbird.encoders._geo_model import GeoModel
from skbird.encoders._geo_spec import GeoModelSpec
from skbird.encoders._heard_before import heard_before
from skbird.encoders._load_encoder import load_encoder
from skbird.encoders._load_geo_model import load_geo_model
from skbird.encoders._pretrained_scores import PretrainedScores
from skbird.encoders._probe_classifier import ProbeClassifier
from skbird.encoders._spec import EncoderOutput, EncoderSpec, TrainingSource
from skbird.encoders._spec_files import read_spec, write_spec
from skbird.encoders._windows import Windows
from skbird.utils._public import set_public_module

__all__ = [
    "AttentionProbe",
    "EmbeddingEncoder",
    "Encoder",
    "EncoderOutput",
    "EncoderSpec",
    "GeoModel",
    "GeoModelSpec",
    "PretrainedScores",
    "ProbeClassifier",
    "TrainingSource",
    "Windows",
    "check_encoder",
    "heard_before",
    "load_encoder",
    "load_geo_model",
    "read_spec",
    "write_spec",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.encoders._find import find_files, sha256_of
from skbird.encoders._geo_spec import known_geo_specs
from skbird.encoders._spec import spec_from_table
from skbird.encoders._spec_files import known_specs
from skbird.encoders._windows import POOLINGS, compute_windows

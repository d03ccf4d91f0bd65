"""Judge predictions by ear, and learn from what was heard.

Choose what to listen to, find a threshold per species with a known precision, and turn
judgements into rows to train on. What judges may be any program: reviews are a table.
"""

from skbird.review._choose_for_review import choose_for_review
from skbird.review._reviews_to_rows import reviews_to_rows
from skbird.review._threshold_from_reviews import ThresholdFromReviews
from skbird.utils._public import set_public_module

__all__ = ["ThresholdFromReviews", "choose_for_review", "reviews_to_rows"]
set_public_module(globals())

"""Judge predictions by ear, and learn from what was heard.

Choose what to listen to, judge it on a page of this machine, find a threshold per
species with a known precision, and turn judgements into rows to train on. What judges
may be any program: reviews are a table.
"""

from skbird.review._choose_for_review import choose_for_review
from skbird.review._read_reviews import read_reviews
from skbird.review._review_session import ReviewSession
from skbird.review._reviews_to_rows import reviews_to_rows
from skbird.review._threshold_from_reviews import ThresholdFromReviews
from skbird.utils._public import set_public_module

__all__ = [
    "ReviewSession",
    "ThresholdFromReviews",
    "choose_for_review",
    "read_reviews",
    "reviews_to_rows",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.review._detections import read_detections

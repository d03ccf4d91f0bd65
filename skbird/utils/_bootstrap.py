"""What bootstraps over recordings have in common."""

FEWEST_RECORDINGS = 5  # of fewer, a bootstrap tells nothing of others
HALF = 0.5  # of a review, for and against: the prior of Jeffreys

"""What bootstraps over recordings have in common."""

# Of one recording a bootstrap has one sample, and of a few hardly more.
FEWEST_RECORDINGS = 5
# What is known before of a share: so much for it, and so much against.
JEFFREYS = 0.5

"""Load data sets as tables of rows and labels, and make synthetic ones."""

import lazy_loader

# Lazily: who loads recordings synthesises none. What __all__ lacks is for other rooms.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "_birdclef": ["load_birdclef", "BIRDCLEF_TABLES", "is_birdclef"],
        "_load_recordings": ["load_recordings"],
        "_make_birdclef": ["make_birdclef"],
        "_make_survey": ["make_survey"],
    },
)
__all__ = ["load_birdclef", "load_recordings", "make_birdclef", "make_survey"]

"""Numbers on the command line."""

import math

import click


class FloatRange(click.FloatRange):
    """A number in a range; click's takes NaN, which is in none."""

    def convert(self, value, param, ctx):
        """Return the number, or complain."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number

"""Textual's own pauses, made short: in a test nobody sees what is drawn between two of them.

After each key a Pilot sleeps in steps until the process has used next to no CPU for one step. With steps
of 20 ms, and drawing at 60 ticks a second, that was two thirds of the time of these tests.

And its style sheets, parsed once for all apps of the run: each app parses the same ones twice as it
starts, a quarter of the time that a start takes.
"""

from collections import defaultdict

import textual._wait as textual_wait
import textual.screen as textual_screen
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

STEP_S = 0.005

textual_screen.UPDATE_PERIOD = (
    STEP_S / 2
)  # less than a step: what waits to be drawn must not look idle
textual_wait.SLEEP_GRANULARITY = STEP_S
textual_wait.SLEEP_IDLE = STEP_S / 20  # the same share as Textual's


class ParsedRules(dict[tuple[object, ...], list[RuleSet]]):
    """The rules under one set of colours. A sheet empties its own when it gets others."""

    def clear(self) -> None:
        """Other colours have another of these."""


PARSED: dict[frozenset[tuple[str, str]], ParsedRules] = defaultdict(ParsedRules)
Stylesheet._parse_cache = property(
    lambda sheet: PARSED[frozenset(sheet._variables.items())], lambda sheet, own: None
)

"""Textual's own pauses, made short: in a test nobody sees what is drawn between two of them.

After each key a Pilot sleeps in steps until the process has used next to no CPU for one step. With steps
of 20 ms, and drawing at 60 ticks a second, that was two thirds of the time of these tests.
"""

import textual._wait as textual_wait
import textual.screen as textual_screen

STEP_S = 0.005

textual_screen.UPDATE_PERIOD = (
    STEP_S / 2
)  # less than a step: what waits to be drawn must not look idle
textual_wait.SLEEP_GRANULARITY = STEP_S
textual_wait.SLEEP_IDLE = STEP_S / 20  # the same share as Textual's

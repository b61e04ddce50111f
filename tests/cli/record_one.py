"""Run by test_bad_input in a process of its own: one `assistant memory add`."""

import sys

from assistant.__main__ import main

sys.exit(main(["memory", "add", sys.argv[1]]))

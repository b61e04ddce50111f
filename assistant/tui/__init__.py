"""The terminal app: screens that draw the engine's events and send it the person's intents.

Knows no SQL, no llama.cpp and no ranking. Nothing here is imported before bare `assistant` is run
on a terminal, and `import assistant.tui.app` loads neither the model's nor the store's libraries.
"""

import os

# Textual reads this once, when it is imported. It draws at ticks of 1/60 s, and a key that comes while
# an answer is drawn then waits for the next tick too. Where nothing changed no tick draws.
os.environ.setdefault("TEXTUAL_FPS", "120")

"""The terminal app: screens that draw the engine's events and send it the person's intents.

Knows no SQL, no llama.cpp and no ranking. Nothing here is imported before bare `assistant` is run
on a terminal, and `import assistant.tui.app` loads neither the model's nor the store's libraries.
"""

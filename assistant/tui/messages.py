"""What the threads tell the app: small messages that carry frozen facts, never widgets.

Knows no screen. Each is posted from another thread with `post_message`, which is safe.
"""

from textual.message import Message

from assistant.errors import AssistantError
from assistant.tui.session import ModelFacts


class EventsWaiting(Message):
    """The mailbox holds events. Sent once per burst; the app then looks in at its own rate."""


class ModelLoaded(Message):
    """The model can answer."""

    def __init__(self, facts: ModelFacts) -> None:
        super().__init__()
        self.facts = facts


class JobFailed(Message):
    """Loading or a turn ended in an error; what came before it stays drawn and recorded."""

    def __init__(self, error: AssistantError) -> None:
        super().__init__()
        self.error = error


class EngineFree(Message):
    """The engine's thread has nothing left to do: the person's next message starts at once."""


class BackgroundDone(Message):
    """Work that nobody waited for is done: there may be something new to show."""


class BackgroundFailed(Message):
    """Work that nobody waits for failed. It is named once, quietly."""

    def __init__(self, error: AssistantError) -> None:
        super().__init__()
        self.error = error

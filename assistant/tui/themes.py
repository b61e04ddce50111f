"""The colours: one dark and one light theme of our own; Textual's ansi themes use the terminal's."""

from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="assistant-dark",
    primary="#8fb8de",
    secondary="#9aa7b8",
    accent="#e0b074",
    warning="#e0a458",
    error="#e07a72",
    success="#8fc29a",
    foreground="#d9dce3",
    background="#16181d",
    surface="#1c1f26",
    panel="#20242c",
    dark=True,
    variables={
        "block-cursor-foreground": "#16181d",
        "block-cursor-background": "#8fb8de",
        "block-cursor-text-style": "none",
        "footer-key-foreground": "#e0b074",
        "footer-background": "#16181d",
        "footer-item-background": "#16181d",
        "footer-description-foreground": "#8a93a3",
        "input-selection-background": "#8fb8de 30%",
        "scrollbar": "#323844",
        "scrollbar-background": "#16181d",
        "border-blurred": "#323844",
    },
)

LIGHT: Final = Theme(
    name="assistant-light",
    primary="#2c6496",
    secondary="#5c6675",
    accent="#97591a",
    warning="#97591a",
    error="#b03a33",
    success="#2f7042",
    foreground="#23272e",
    background="#faf9f6",
    surface="#f3f1ec",
    panel="#eceae3",
    dark=False,
    variables={
        "block-cursor-foreground": "#faf9f6",
        "block-cursor-background": "#2c6496",
        "block-cursor-text-style": "none",
        "footer-key-foreground": "#97591a",
        "footer-background": "#faf9f6",
        "footer-item-background": "#faf9f6",
        "footer-description-foreground": "#5c6675",
        "scrollbar": "#d5d1c5",
        "scrollbar-background": "#faf9f6",
        "border-blurred": "#d5d1c5",
    },
)

THEMES: Final = (DARK, LIGHT)
CHOICES: Final = ("assistant-dark", "assistant-light", "ansi-dark", "ansi-light")

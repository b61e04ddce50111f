"""Text cut into sentences, and the words of it that carry meaning. English; no store, no model."""

import re
from typing import Final

_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|sr|jr|st|mt|rev|gen|col|sgt|capt|lt|hon|vs|etc|approx|ca|cf|al|fig|"
    r"vol|no|dept|est|inc|ltd|corp|co|ave|blvd|rd|apt|min|max|e\.g|i\.e|a\.m|p\.m|u\.s|u\.k|ph\.d|"
    r"b\.sc|m\.sc|b\.a|m\.a|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec)|(?:\b[A-Za-z]))\.$",
    re.IGNORECASE,
)
# Ends nothing only before a name ("Dr. Roy", "St. Ives"); others may end a sentence ("at 9 p.m. We").
_TITLE: Final = re.compile(
    r"\b(?:mr|mrs|ms|dr|prof|sr|st|mt|rev|gen|col|sgt|capt|lt|hon|vs|cf|fig|vol|no|e\.g|i\.e)\.$",
    re.IGNORECASE,
)
_INITIAL: Final = re.compile(r"(?:^|[\s.(])[A-Z]\.$")
_END: Final = re.compile(r"[.!?…]+[\"'\u201d\u2019)\]*_]*(?=\s|$)|\n+|$")
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")

_STOPWORDS: Final = """a about above after again against ago all also am an and any are aren't around as at back be
    because been before being below between both but by can can't cannot could couldn't did didn't
    do does doesn't doing don't done down during each either else even ever every few for from
    further get gets getting go goes going got had hadn't has hasn't have haven't having he he'd
    he'll he's her here hers herself him himself his how i i'd i'll i'm i've if in into is isn't it
    it's its itself just know let let's like lot made make many may maybe me might mine more most
    much must my myself no nor not now of off oh ok okay on once one only or other our ours ourselves
    out over own please quite rather really same say says she she'd she'll she's should shouldn't so
    some something still such sure take than thank thanks that that's the their theirs them
    themselves then there there's these they they'd they'll they're they've thing things think this
    those though through to too under until up upon us used very want was wasn't way we we'd we'll
    we're we've well were weren't what what's when where which while who whom whose why will with
    won't would wouldn't yeah yes yet you you'd you'll you're you've your yours yourself"""
STOPWORDS: Final = frozenset(_STOPWORDS.split())


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Character spans [start, end) of the sentences, white space trimmed, in order.

    A line break ends a sentence; a full stop after an abbreviation or an initial, or before a small
    letter, does not.
    """
    spans, start = [], 0
    for match in _END.finditer(text):
        end = match.end()
        if match.group().startswith(".") and not _is_end(text, start, end):
            continue
        piece = text[start:end]
        trimmed = piece.strip()
        if trimmed:
            at = start + piece.index(trimmed)
            spans.append((at, at + len(trimmed)))
        start = end
    return spans


def _is_end(text: str, start: int, end: int) -> bool:
    if text[start : end - 1].strip().isdigit():
        return False  # the number of an item in a list
    before = text[max(start, end - 16) : end]
    following = text[end : end + 40].lstrip(" \t\"'\u201c\u2018([*_")
    if not following:
        return True
    if _TITLE.search(before) or _INITIAL.search(before):
        return before.endswith(" I.") or following[0] == "\n"
    if following[0].islower():
        return not _ABBREVIATION.search(before) and not before.endswith("...")
    return True


def words(text: str) -> list[str]:
    """The words in small letters, in order; an apostrophe inside one is kept, made straight."""
    return [word.replace("\u2019", "'") for word in _WORD.findall(text.lower())]


def content_words(text: str) -> set[str]:
    """The words that carry meaning: no stop words, no possessive 's, a plain plural made single."""
    return {stem(word) for word in words(text) if word not in STOPWORDS} - {""}


def stem(word: str) -> str:
    """A word without possessive and plural s, so that "Anna's dogs" meets "Anna" and "dog"."""
    word = word.removesuffix("'s").removesuffix("'")
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def is_quoted(memory: str, reply: str, question: str) -> bool:
    """Whether the reply used the memory: it holds a content word of it that the question lacks.

    This is DESIGN section 4's test for "quoted"; a memory that only repeats the question earns nothing.
    """
    return bool((content_words(memory) & content_words(reply)) - content_words(question))

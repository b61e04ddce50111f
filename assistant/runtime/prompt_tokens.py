"""Prompt segments to tokens: control tokens only from the template, replies spelled as before.

Knows a vocabulary and what a sequence holds, no templates and no llama.cpp context.
"""

from collections.abc import Iterable, Sequence

from assistant.runtime.template import Segment
from assistant.runtime.vocabulary import Vocabulary


def tokenize_segments(
    segments: Iterable[Segment], vocabulary: Vocabulary, held: Sequence[int]
) -> list[int]:
    """The prompt's tokens. `held`: what the sequence that will read them holds already.

    A model may spell its reply in other tokens than the tokenizer would ("un|usual" for
    "unusual"). Tokenised anew the reply would end the common prefix there, and all that follows
    would be evaluated again. So while the prompt agrees with `held`, a content is taken over in
    the spelling it has there.
    """
    tokens: list[int] = []
    agrees = True
    if vocabulary.adds_bos:
        tokens.append(vocabulary.bos)
    for segment in segments:
        agrees = agrees and list(held[: len(tokens)]) == tokens
        tokens += _tokenize(segment, vocabulary, tokens, held if agrees else ())
    if vocabulary.adds_bos and tokens[1:2] == [vocabulary.bos]:
        del tokens[0]  # the template writes it itself
    return tokens


def _tokenize(
    segment: Segment, vocabulary: Vocabulary, before: Sequence[int], held: Sequence[int]
) -> list[int]:
    inside = bool(before) and not (len(before) == 1 and before[0] == vocabulary.bos)
    if segment.is_template:
        return vocabulary.tokenize(segment.text, special=True, inside=inside)
    spelled = respell(segment.text, held[len(before) :], vocabulary)
    return spelled or vocabulary.tokenize(segment.text, inside=inside)


def respell(text: str, held: Sequence[int], vocabulary: Vocabulary) -> list[int] | None:
    """`text` in the tokens that `held` begins with; None where they say something else.

    The last token may go past the text (a reply cut at a stop string or trimmed): what is left is
    tokenised. Control tokens never stand for text.
    """
    raw = text.encode("utf-8", "replace")
    at = 0
    tokens: list[int] = []
    for token in held:
        piece = vocabulary.piece(token)
        rest = raw[at:]
        if not rest or not piece or not vocabulary.is_ordinary(token):
            break
        if rest.startswith(piece):
            tokens.append(token)
            at += len(piece)
        elif piece.startswith(rest):
            break
        else:
            return None
    if not tokens:
        return None
    if at == len(raw):
        return tokens
    try:
        rest_text = raw[at:].decode("utf-8")
    except UnicodeDecodeError:
        return None  # the cut is inside a character
    ends_here = len(held) == len(tokens) or len(raw) - at < _longest(vocabulary, held[len(tokens)])
    return tokens + vocabulary.tokenize(rest_text, inside=True) if ends_here else None


def _longest(vocabulary: Vocabulary, token: int) -> int:
    return len(vocabulary.piece(token)) + 1

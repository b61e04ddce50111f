"""Prompt segments to tokens: control tokens only from the template, replies spelled as before.

Knows a vocabulary and what a sequence holds, no templates and no llama.cpp context.
"""

from collections.abc import Iterable, Iterator, Sequence

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
    for segment in _spaces_to_words(segments):
        agrees = agrees and list(held[: len(tokens)]) == tokens
        tokens += _tokenize(segment, vocabulary, tokens, held if agrees else ())
    if vocabulary.adds_bos and tokens[1:2] == [vocabulary.bos]:
        del tokens[0]  # the template writes it itself
    return tokens


def _spaces_to_words(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Spaces at the end of template text begin the words that follow: " Hello" is one token."""
    spaces = ""
    for segment in segments:
        text = spaces + segment.text
        spaces = ""
        if segment.is_template:
            bare = text.rstrip(" ")
            text, spaces = bare, text[len(bare) :]
        if text:
            yield Segment(text, segment.is_template)
    if spaces:
        yield Segment(spaces, True)


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
    rest = text.encode("utf-8", "replace")
    tokens: list[int] = []
    for token in held:
        piece = vocabulary.piece(token)
        if not rest or (piece.startswith(rest) and piece != rest):
            break  # the text ends here, or inside this token
        if not piece or not rest.startswith(piece) or not vocabulary.is_ordinary(token):
            return None
        tokens.append(token)
        rest = rest[len(piece) :]
    try:
        return tokens + vocabulary.tokenize(rest.decode("utf-8"), inside=True) if tokens else None
    except UnicodeDecodeError:
        return None  # it ends inside a character

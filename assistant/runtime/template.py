"""Messages to prompt segments by the model's own chat template (Jinja), in a sandbox.

Each segment is marked as template text, in which control tokens count, or as somebody's words, in
which they never do. Knows messages and templates, no vocabulary and no model.

How the two are kept apart: the template is rendered with a placeholder in the place of every
content, so all that remains is its own text. Where a template alters a content (trims it, cuts off
a thinking part), the altered form is found by rendering that one content between placeholders.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from assistant.records import ChatMessage

# For a model that has none: the form most chat models have seen, in plain words they can complete.
DEFAULT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PLAIN_TEMPLATE: Final = (
    "{% for message in messages %}"
    "{{ message.role | capitalize + ': ' + message.content + '\\n\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
PLAIN_STOP: Final = ("\nUser:", "\nSystem:")

_PLACEHOLDER: Final = re.compile(r"c0ntent(\d+)x9q")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the prompt. `is_template`: written by the template, not by anybody."""

    text: str
    is_template: bool


class TemplateRefused(Exception):
    """The template called raise_exception, or is no valid Jinja."""


class ChatTemplate:
    """One chat template. `source` None takes ChatML where the vocabulary has it, else plain text."""

    def __init__(
        self, source: str | None, *, bos: str = "", eos: str = "", has_chatml: bool = True
    ) -> None:
        self.default = DEFAULT_TEMPLATE if has_chatml else PLAIN_TEMPLATE
        self._constants = {"bos_token": bos, "eos_token": eos}
        self._fallback = _compile(self.default)
        try:
            self._template = _compile(source) if source else self._fallback
        except TemplateRefused:
            self._template = self._fallback

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings that end a reply where no control token does."""
        uses_plain = self._template is self._fallback and self.default == PLAIN_TEMPLATE
        return PLAIN_STOP if uses_plain else ()

    def render(
        self,
        messages: Sequence[ChatMessage],
        *,
        add_generation_prompt: bool = True,
        now: datetime | None = None,
    ) -> list[Segment]:
        """The prompt, segment by segment. Every content is in it, whatever the template does.

        A template that refuses or drops a message (no system role, strictly alternating roles)
        gets the messages merged; one that still does takes the default template instead.
        """
        variables: dict[str, Any] = {
            "add_generation_prompt": add_generation_prompt,
            "enable_thinking": False,
            **self._constants,
        }
        if now is not None:
            variables["strftime_now"] = now.strftime
        for template, prepare in self._attempts():
            try:
                return _render(template, prepare(messages), variables)
            except TemplateRefused:
                continue
        raise AssertionError("the default template takes every conversation")

    def _attempts(self) -> list[tuple[Any, "_Prepare"]]:
        return [
            (self._template, list),
            (self._template, _system_into_user),
            (self._template, _alternate),
            (self._template, lambda messages: _alternate(_system_into_user(messages))),
            (self._fallback, list),
        ]


_Prepare = Callable[[Sequence[ChatMessage]], list[ChatMessage]]


def _render(
    template: Any, messages: Sequence[ChatMessage], variables: dict[str, Any]
) -> list[Segment]:
    """Template text around placeholders, then each placeholder as the content it stands for."""
    frame = _run(template, [_placeholder(i) for i in range(len(messages))], messages, variables)
    if {int(i) for i in _PLACEHOLDER.findall(frame)} != set(range(len(messages))):
        raise TemplateRefused("a message is missing from the prompt")
    contents = [message.content for message in messages]
    plain = _PLACEHOLDER.sub(lambda match: contents[int(match[1])], frame)
    try:
        rendered = _run(template, contents, messages, variables)
    except TemplateRefused:
        rendered = plain
    if rendered != plain:
        contents = [
            _as_altered(template, i, frame, messages, variables) for i in range(len(messages))
        ]
    return list(_split(frame, contents))


def _split(frame: str, contents: Sequence[str]) -> list[Segment]:
    segments, at = [], 0
    for match in _PLACEHOLDER.finditer(frame):
        segments.append(Segment(frame[at : match.start()], True))
        segments.append(Segment(contents[int(match[1])], False))
        at = match.end()
    segments.append(Segment(frame[at:], True))
    return [segment for segment in segments if segment.text]


def _as_altered(
    template: Any,
    i: int,
    frame: str,
    messages: Sequence[ChatMessage],
    variables: dict[str, Any],
) -> str:
    """What the template makes of content `i`, all others being placeholders.

    The text before and after the placeholder anchors both ends, so nothing that the content says
    can move the border between it and the template's own text.
    """
    content = messages[i].content
    before, separator, after = frame.partition(_placeholder(i))
    if _placeholder(i) in after or not separator:
        return content
    contents = [_placeholder(j) for j in range(len(messages))]
    contents[i] = content
    try:
        rendered = _run(template, contents, messages, variables)
    except TemplateRefused:
        return content
    fits = len(rendered) >= len(before) + len(after)
    if fits and rendered.startswith(before) and rendered.endswith(after):
        return rendered[len(before) : len(rendered) - len(after)]
    return content


def _placeholder(i: int) -> str:
    return f"c0ntent{i}x9q"


def _run(
    template: Any,
    contents: Sequence[str],
    messages: Sequence[ChatMessage],
    variables: dict[str, Any],
) -> str:
    # Whatever a stranger's template raises (a type error, an overflow, a sandbox violation) means
    # the same here: it cannot render these messages.
    try:
        return str(
            template.render(
                messages=[
                    {"role": message.role, "content": content}
                    for message, content in zip(messages, contents, strict=True)
                ],
                **variables,
            )
        )
    except Exception as error:
        raise TemplateRefused(str(error)) from error


def _compile(source: str) -> Any:
    """The template in a sandbox that can change nothing and reach no attribute of Python's own."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class GenerationTag(Extension):
        """`{% generation %}` marks the reply for training; its body is rendered as it stands."""

        tags = {"generation"}  # noqa: RUF012 # jinja2 declares it so

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols", GenerationTag],
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    try:
        return environment.from_string(source)
    except TemplateError as error:
        raise TemplateRefused(str(error)) from error


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(reason: str) -> None:
    raise TemplateRefused(reason)


def _system_into_user(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The system messages at the head of the first user message, for templates without the role."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    others = [message for message in messages if message.role != "system"]
    for i, message in enumerate(others):
        if message.role == "user" and system:
            others[i] = replace(message, content=f"{system}\n\n{message.content}")
            return others
    return [ChatMessage("user", system), *others] if system else others


def _alternate(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Neighbours of one role made one message, for templates that want roles to alternate."""
    merged: list[ChatMessage] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            merged[-1] = replace(merged[-1], content=f"{merged[-1].content}\n\n{message.content}")
        else:
            merged.append(message)
    return merged

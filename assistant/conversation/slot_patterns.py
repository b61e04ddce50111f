"""By which patterns a statement gives a slot: subject, relation and value in the person's words. Data only.

English. Which relation has one value at a time, and which value ends another, is `memory.slots`'.
"""

import re
from typing import Final

from assistant.conversation.english import any_case
from assistant.conversation.vocabulary import KIN

_A: Final = r"['\u2019]"
_NAME: Final = r"(?P<object>(?-i:[A-Z])[\w'\u2019-]+(?:\s+(?-i:[A-Z])[\w'\u2019-]+){0,2})"
_PLACE: Final = r"(?P<object>(?-i:[A-Z])[\w'\u2019-]+(?:[\s,]+(?-i:[A-Z])[\w'\u2019-]+){0,3})"
_REST: Final = r"(?P<object>[^,.;!?]+)"
_ONE_KIN: Final = r"(?P<kin>wife|husband|partner|mother|father|mum|mom|dad|fianc[e\u00e9]+|boss|landlord|landlady|therapist|dentist|supervisor|manager)"
_MOVED: Final = rf"(?:{_A}ve)?\s+(?:have\s+)?(?:just\s+|recently\s+|finally\s+)?moved"
_FROM_TO: Final = rf"(?:from\s+[\w ]{{2,30}}?\s+)?to\s+{_PLACE}"
_OF_WORK: Final = (  # what is moved to a tool, a vendor or a plan; nobody lives in those
    r"\b(?:(?:teams?|compan(?:y|ies)|office|department|apps?|tools?|software|platforms?|accounts?|servers?|code|"
    r"repos?(?:itory)?|projects?|databases?|editors?|browsers?|phones?|laptops?|computers?|notes|calendars?|"
    r"e?-?mails?|chats?|messaging|meetings?|standups?|stack|frameworks?|librar(?:y|ies)|subscriptions?|"
    r"providers?|banks?|insurers?|hosting|cloud|back-?end|front-?end|web-?sites?|blogs?|data|files|documents)|"
    # Products whose names no town has; Java, Signal and Teams are not among them.
    r"to\s+(?:gnu/)?(?:linux|ubuntu|debian|fedora|windows|mac\s?os|macs?|ios|android|iphones?|slack|discord|notion|"
    r"obsidian|evernote|neovim|vim|emacs|vs\s?code|git(?:hub|lab)|jira|trello|asana|gmail|outlook|icloud|dropbox|"
    r"firefox|chrome|spotify|netflix|kindle|whatsapp|telegram|zoom|aws|azure|kubernetes|docker|python|rust|"
    r"typescript|javascript|react|django|postgres(?:ql)?|mysql|sqlite|mongodb))\b"
)
_OF_HOME: Final = (
    rf"\b(?:back|{KIN}|family|house|home|flat|apartment|rent|mortgage|school|university|college|neighbou?rhood|"
    r"city|town|village|countryside|coast|abroad)\b"
)
# Pattern with the group `object`, subject, relation. The first that fits counts.
SLOTS: Final[tuple[tuple[re.Pattern[str], str, str], ...]] = (
    (any_case(rf"\bmy\s+(?:full\s+)?name\s+is\s+{_NAME}"), "person", "name"),
    (
        # Not "I'm X": that may be Irish. What people call someone is not their name.
        any_case(
            rf"^(?:(?:you\s+can\s+)?call\s+me|i{_A}?m\s+called|i\s+go\s+by)\s+{_NAME}\s*[.!]?$"
        ),
        "person",
        "goes by",
    ),
    (
        any_case(rf"\bmy\s+{_ONE_KIN}(?:{_A}s\s+name\s+is|\s+is\s+(?:called|named))\s+{_NAME}"),
        "{kin}",
        "name",
    ),
    (
        any_case(
            rf"\bmy\s+(?:new\s+)?(?P<what>birthday|blood\s+type|(?:address|phone\s+number|email|username)|job|age)\s+is\s+(?:on\s+|in\s+)?{_REST}"
        ),
        "person",
        "{what}",
    ),
    (
        any_case(rf"\bmy\s+favou?rite\s+(?P<what>[\w\s-]{{2,24}}?)\s+is\s+{_REST}"),
        "person",
        "favourite {what}",
    ),
    (
        any_case(
            rf"\bmy\s+(?P<what>wife|husband|mother|father|mum|mom|dad|partner){_A}s\s+birthday\s+is\s+(?:on\s+|in\s+)?{_REST}"
        ),
        "{what}",
        "birthday",
    ),
    (
        any_case(
            rf"\b(?:(?:i|we)\s+(?:now\s+|currently\s+)?live|(?:i{_A}?m|i\s+am|we{_A}re|we\s+are)\s+(?:now\s+|currently\s+)?"
            rf"(?:living|based))\s+(?:in|at|near)\s+{_PLACE}"
        ),
        "person",
        "lives in",
    ),
    # One person moves house, unless it is said what else was moved; "we" may be a team that moved to
    # another tool, unless it is said that it is a home.
    (
        any_case(rf"^(?!.*{_OF_WORK})(?:.*\b)?i{_MOVED}\s+(?:back\s+)?{_FROM_TO}"),
        "person",
        "lives in",
    ),
    (
        any_case(rf"^(?!.*{_OF_WORK})(?=.*{_OF_HOME})(?:.*\b)?we{_MOVED}\s+(?:back\s+)?{_FROM_TO}"),
        "person",
        "lives in",
    ),
    (
        any_case(rf"^(?!.*{_OF_WORK})(?:.*\b)?we{_MOVED}\s+{_FROM_TO}"),
        "person",
        "moved to",
    ),
    (
        any_case(
            rf"\bi{_A}?m\s+(?P<object>\d{{2,3}})(?:\s+years?\s+old)?(?=[\s,.!]|$)(?!\s*(?:percent|per\s|of\b|pages?|minutes?|hours?|days?|weeks?|months?|km|kilos?|cm|%))"
        ),
        "person",
        "age",
    ),
    (any_case(rf"\bi\s+(?:now\s+)?work\s+as\s+(?:an?\s+|the\s+)?{_REST}"), "person", "job"),
    (any_case(rf"\bi\s+(?:now\s+)?work\s+(?:for|at)\s+(?:the\s+)?{_PLACE}"), "person", "employer"),
    (
        any_case(
            rf"\bmy\s+(?P<kin>{KIN})\s+(?:is\s+(?:called|named)\s+)?{_NAME}\s+(?:is|was|has|had|lives?|moved|works?|teaches)"
        ),
        "{kin}",
        "is called",
    ),
    (any_case(rf"\bi{_A}?m\s+(?:\w+\s+)?allergic\s+to\s+{_REST}"), "person", "allergic to"),
    (
        any_case(rf"\bi\s+(?:really\s+)?(?P<verb>love|like|enjoy|hate|prefer)\s+{_REST}"),
        "person",
        "{verb}s",
    ),
)

"""Why a stretch of a message or a sentence states nothing of the person. Data only.

Code, quotations, pasted text, fiction and exercises are not the person speaking; questions, requests,
hypotheses, hearsay, small talk and moods say nothing that lasts. English.
"""

import re
from typing import Final

from assistant.conversation import english as e
from assistant.conversation.english import any_case

# ---- not the person speaking ----

FOREIGN: Final = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`|^(?:>|\t| {4,}\S|#+\s|//|--\s)[^\n]*$|(?<=[;{})])\s*//[^\n]*$|https?://\S+|"
    r"\"[^\"\n]*\s[^\"\n]*\"|\u201c[^\u201d\n]*\s[^\u201d\n]*\u201d|^(?:system|assistant|user|q|a|"
    r"question|answer|example|e\.g\.|sentence|original|quote|excerpt|input|output|premise|patient|case|scenario|exercise|"
    r"riddle|joke|note\s+from\s+\w+)\s*:[^\n]*$|^[\[(]?\d{4}-\d\d-\d\d[ T]\d\d:\d\d[^\n]*$|"
    r"^[^\n]{0,40}(?-i:\b(?:INFO|WARN|WARNING|ERROR|DEBUG|FATAL)\b)[^\n]*$|"
    r"^(?:dear\s+\w|(?:from|to|subject|date)\s*:\s).*\Z",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
PASTED: Final = re.compile(
    r"^[^\n:]*\b(?:summari[sz]e|translate|proofread|rewrite|rephrase|paraphrase|edit|correct|fix|improve|"
    r"shorten|polish|tighten|condense|trim|grade|critique|analy[sz]e|classify|review|check|here(?:\s+is|['\u2019]s)\s+(?:the|a|an|my|this)\s+(?:\w+\s+)?(?:text|"
    r"email|letter|poem|lyrics?|passage|paragraph|article|draft|essay|message|transcript|log|code))\b"
    r"[^\n:?.]*[:?.][ \t]*(?:\n|(?=[\"\u201c>])|(?<=:))",
    re.IGNORECASE,
)
_COMMANDS: Final = (
    r"summari[sz]e|translate|proofread|rewrite|rephrase|paraphrase|edit|correct|fix|improve|shorten|polish|tighten|"
    r"condense|trim|grade|mark|rate|critique|judge|analy[sz]e|classify|review|check"
)
_TEXTS: Final = (
    r"line|lines|sentence|paragraph|opening|ending|verse|stanza|lyrics?|caption|slogan|tagline|haiku|limerick|text|email|"
    r"letter|essay|draft|message|post|bio|review|story|speech|answer|translation|homework|abstract|joke|chapter|monologue|song|scene|poem|riddle|diary|leaflet|flyer|mistake|tense"
)
_SENT: Final = (
    r"sent|texted|wrote|emailed|messaged|posted|replied|handed|left|answered|writes|texts|said|says"
)
# What stands before another's words, or before the person's own words as a text to work on. All that
# follows is that text: the end of it cannot be told.
PASTES: Final = (
    re.compile(
        rf"^\s*(?:please\s+|now\s+|and\s+)*(?:{_COMMANDS})\b[^\n:?.!]{{0,50}}(?::|[.?!]\s*\n)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:this|these|my|the\s+following|one)\b[^.?!:\n]{{0,30}}\b(?:{_TEXTS})\b[^.?!:\n]{{0,20}}(?:[?:]|[.!]\s*\n)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:he|she|they|who|someone|somebody|it|(?:my|a|one\s+of\s+my|the)\s+(?:[\w-]+\s+){{1,3}}(?:of\s+mine\s+)?)\s?"
        rf"(?:just\s+|has\s+|have\s+)?(?:{_SENT})\b[^.?!:\n]{{0,30}}(?::|[^:\n]*\n)",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:say|write|put|translate)\b[^.?!:\n]{0,30}\b(?:in|into|to)\s+(?-i:[A-Z])\w+\s*[:?]",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:the\s+following|below)\b[^\n]*\n", re.IGNORECASE),
    re.compile(
        r"^\W*(?:chapter|scene|act|part|verse|stanza|prologue|epilogue)\s+(?:one|two|three|four|five|[\divx]+)\s*[.:\n]",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(
        rf"\b(?:{_TEXTS})\b[^.?!:\n]{{0,30}}(?:\b(?:starts?|begins?|opens|goes|reads|like\s+this)\b[^?!:.\n]{{0,20}}[.:]|\s(?:of|for|in)\s[^:]{{1,20}}:)",
        re.IGNORECASE,
    ),
)
# A sentence that asks for work on a text. The statements next to it are that text, not the person.
_OF_TEXT: Final = r"summari[sz]e|translate|proofread|rewrite|rephrase|reword|paraphrase|shorten|polish|tighten|condense|critique|grade|rate|edit"
TEXT_TASK: Final = any_case(
    rf"\b(?:{_OF_TEXT})\b(?:\s+(?:the|my|this|these|it|that|following|above|below|[\w-]+))*\s+(?:it|this|that|{_TEXTS}|summary)\b|\b(?:{_OF_TEXT})\s+(?:it|this|that)\b|"
    rf"\b(?:{_COMMANDS})\s+(?:the|my|this|these)\s+(?:\w+\s+)?(?:{_TEXTS})\b|"
    r"\bmake\s+(?:this|it)\s+(?:sound\b|read\b|less\b|more\b|shorter\b|longer\b|funnier\b|politer\b)|"
    r"\b(?:is|does)\s+(?:it|this|that)\s+(?:sound\s+|read\s+)?(?:too\s+)?(?:funny|clear|formal|polite|convincing|pompous|abrupt|sound|read)\b|"
    r"\b(?:the\s+)?(?:speaker|narrator|poet|author)\s+mean|^(?:decline|conjugate|form\s+\w+\s+from)\b|"
    rf"^(?:here\s+(?:is|goes|comes)|an?|my|the|opening\s+of|email|letter|message|lyrics)\b[^.?!:]{{0,40}}?\b(?:{_TEXTS}|from\s+\w+\s+\w+|cv|resume)\b[^.?!:]{{0,25}}(?:follows|below|harsh|[.:])\s*$"
)
# A sum to be done: its "I" is nobody.
EXERCISE: Final = re.compile(
    r"\b(?:past|present|future|perfect|what)\s+tense\b|\bwhat\s+am\s+i\?|\briddle\b|\b(?:twice|three\s+times|half)\s+as\s+\w+\s+as\b|"
    r"\bprobability\b|^let\s+[a-z]\s+be\b|\bsolve\s+for\b|\b(?:toss|flip)\s+(?:an?|two|the)\s+coins?\b|\bwithout\s+replacement\b|\bequally\b[^?]*\?|\bhow\s+many\b[^.?]*\b(?:left|remain|remaining|in\s+total|"
    r"altogether|each\s+of\s+(?:us|them))\b|(?:^|[.]\s+)(?:a|an|two|three)\s+(?:train|plane|bus|car|boat|ship|cyclist|runner|farmer|"
    r"shopkeeper|man|woman|boy|girl)s?\s+(?:leaves?|starts?|has|have|buys?|sells?|travels?|departs?|sets?\s+off)\b",
    re.IGNORECASE,
)
# Said of the sentence before: it was not meant.
RETRACTS: Final = any_case(
    r"^(?:(?:just|only|ha+|haha+|no)[\s,]+)*(?:kidding|joking|jk|not\s+(?:really|true)|of\s+course\s+not|i\s+(?:wish|made\s+that\s+up))\b"
)
_COUNTS: Final = any_case(
    r"\b(?:\d[\d.,]*|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|forty|fifty|sixty|twice|thrice|half|thirds?|quarters?|hundred)\b"
)
_ASKS_A_SUM: Final = any_case(
    r"\b(?:how\s+(?:long|much|many|old|far|fast|big)|what\s+do\s+(?:i|we)\s+(?:end|get|pay|have|owe)|when\s+do\s+(?:i|we)\s+\w+|where\s+do\s+(?:i|we)\s+meet|"
    r"what\s+(?:remains|is\s+left)|change|total|prices?|ages?|speeds?|percentage|rate|share)\b[^.?!]*\?"
)
N_OF_A_SUM: Final = 3  # figures; who asks for a total after as many has set a sum


def is_sum(text: str) -> bool:
    """Whether the message is a calculation: several figures, then a question for a number."""
    asked = _ASKS_A_SUM.search(text)
    return asked is not None and len(_COUNTS.findall(text[: asked.start()])) >= N_OF_A_SUM


# Said of the sentence itself, before its opening is taken off: an answer nobody asked for.
MOCKS: Final = any_case(r"^(?:oh\s+)?(?:yeah|sure|right|yes)[,\s]+because\b")
FICTION: Final = any_case(
    r"\b(?:act\s+(?:as|like)|pretend|role-?\s?play|assume\s+the\s+role|play\s+the\s+(?:role|part)|let['\u2019]?s\s+(?:do|play|act)\s+a\b|"
    r"^you\s+(?:play|be)\s+(?:an?|the|my)\b|\blet\s+us\s+play\b|"
    r"you(?:\s+are|['\u2019]re)\s+(?:the|my)\s+\w+[.,!]|you\s+(?:start|begin)\s*[.!]|imagine\s+(?:you|that\s+you|being)|you\s+are\s+(?:now\s+)?an?\b|"
    r"(?:write|tell|continue|invent)\s+(?:me\s+)?(?:a|an|the|my|this|another)\s+(?:[\w-]+\s+){0,3}"
    r"(?:story|poem|song|scene|dialogue|tale|fable|chapter|screenplay|monologue)|"
    r"my\s+(?:main\s+)?(?:character|protagonist|hero|heroine|villain)\b|"
    r"^be\s+(?:my|an?|the)\s+\w+|^[^.:?\n]{0,30}\b(?:game|practice|exercise|drill|quiz|role|improv|scene|experiment)\s*[.:]|"
    r"\byou(?:\s+are|['\u2019]re)\s+(?:an?|the|my)\b[^.?!]*\bi(?:\s+am|['\u2019]m)\b|\bi(?:\s+am|['\u2019]m)\s+(?:an?|the|your)\b[^.?!]*\byou(?:\s+are|['\u2019]re)\s+(?:an?|the|my)\b|"
    r"\b(?:weird|strange|bad|odd|same|crazy|recurring)\s+(?:dream|nightmare)\b|^(?:last\s+night\s+)?i\s+(?:dreamt|dreamed)\b|^nightmare\b|"
    r"(?:in|for)\s+(?:my|the|this)\s+(?:role|story|novel|book|game|dream|film|movie|script|campaign|song|poem|"
    r"exercise|scenario|riddle|puzzle|play|sketch)\b)"
)

SUPPOSES: Final = any_case(
    r"^(?:and\s+|but\s+|so\s+)?(?:what\s+if|if|as|suppos(?:e|ing)|assum(?:e|ing)|imagin(?:e|ing)|let|say|maybe|perhaps|possibly|in\s+case|"
    r"unless|otherwise|as\s+if)\b|\bi\s+wish\b"
)

# ---- why a sentence is no thought, the first that fits ----

_IMPERATIVES: Final = (
    "act|add|advise|analy[sz]e|answer|apply|arrange|ask|assess|brainstorm|build|calculate|change|check|"
    "choose|classify|clarify|come up|compare|complete|compose|compute|continue|convert|correct|count|"
    "create|critique|cut|debug|define|demonstrate|describe|design|detect|develop|discuss|do|draft|draw|"
    "drop|edit|elaborate|estimate|evaluate|expand|explain|extract|figure out|fill|find|finish|fix|focus|"
    "follow|forget|format|generate|give|go on|guess|help|highlight|identify|ignore|imagine|implement|"
    "improve|include|insert|keep|let|list|look|make|merge|mention|name|never ?mind|offer|optimi[sz]e|order|"
    "organi[sz]e|outline|paraphrase|plan|pick|play|predict|prepare|pretend|print|produce|proofread|propose|"
    "prove|provide|put|quote|rank|rate|read|recommend|redo|refactor|remind|remove|rename|repeat|rephrase|"
    "replace|reply|respond|return|review|revise|rewrite|round|run|save|search|select|send|shorten|show|"
    "simplify|sketch|solve|sort|specify|split|stop|suggest|sum up|summari[sz]e|swap|switch|take|talk|tell|"
    "test|think|transform|translate|try|turn|update|use|verify|wait|walk|word|work out|write"
)
DROP: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("question", re.compile(r"\?[\"'\u201d)\s!]*$")),
    (
        "question",
        any_case(
            r"^(?:and\s+|but\s+|so\s+)?(?:what|which|who|whom|whose|how|why|where)\b(?!ever)(?:['\u2019]s)?\s|"
            r"^(?:can|could|would|will|should|do|does|did|is|are|am|was|were|has|have|may|shall)\s+"
            r"(?:i|you|we|it|he|she|they|there|this|that|the|my|your)\b|^any\s+(?:\w+\s+)?(?:ideas?|tips?|"
            r"advice|suggestions?|thoughts)\b"
        ),
    ),
    (
        "request",
        any_case(
            rf"^(?:please[\s,]+|now[\s,]+|then[\s,]+|just\s+|ok[\s,]+)*(?:{_IMPERATIVES})\b(?!['\u2019-])"
        ),
    ),
    (
        "request",
        any_case(
            r"\bi(?:['\u2019]d|\s+would)\s+(?:like|love|appreciate)\s+(?!to\b)|\bi\s+(?:want|need|expect|ask)\s+"
            r"(?:you|it|this|that|these|them|help|advice|some|a\s+(?:list|table|recipe|plan|summary|script|"
            r"function|way|word|name|title|poem|story|letter|email))\b|"
            r"\bi(?:['\u2019]d\s+like|\s+would\s+like|\s+want|\s+need)\s+to\s+(?:know|see|ask|understand|hear|"
            r"find\s+out)\b|\b(?:tell|show|give|help|remind)\s+me\b|\bi(?:['\u2019]m|\s+am)\s+(?:looking\s+for|"
            r"asking|wondering|trying\s+to\s+(?:understand|figure))|\blet\s+me\s+know\b|^no\b.{0,20}\bplease\b"
        ),
    ),
    (
        "fiction",
        any_case(
            r"^(?:i\s+|we\s+|last\s+night\s+i\s+)?(?:dreamt|dreamed|had\s+(?:a|this|the)\s+(?:\w+\s+){0,2}(?:dream|nightmare))\b|\bin\s+my\s+dream\b|"
            r"^the\s+(?:hero|heroine|narrator|protagonist|main\s+character|villain|guy|man|woman|girl|boy|host|author|doctor|"
            r"expert|actor|actress|singer)\s+(?:of|in|on|from|who)\b"
        ),
    ),
    (
        "not meant",
        any_case(
            r"^(?:oh\s+)?(?:sure|great|brilliant|wonderful|fantastic|lovely|perfect|yeah\s+right|right)\b,?\s.*\b(?:love|enjoy|adore)|"
            r"\bi\s+(?:just|absolutely|so|simply)\s+(?:love|adore|enjoy)\s+(?:being|spending|waiting|getting|having|it\s+when|how|when)\b|"
            r"^(?:oh|ah|ooh|yay)\s+(?:\w+\s+)?(?:joy|great|good|goody|wonderful|lovely|brilliant|fantastic|perfect|fun|sure|right)\b,|"
            r"^(?:brilliant|great|fantastic|wonderful|lovely|marvellous|perfect|terrific)[,!.\s]+(?:my\s+favou?rite|(?:just|exactly)\s+what|another)\b|"
            r"\bover\s+my\s+dead\s+body\b|\bi\s+(?:could|would|['\u2019]d)\s+(?:\w+\s+)?(?:kill|murder|die)\b"
        ),
    ),
    (
        "hypothesis",
        any_case(
            r"^as\s+(?!an?\b|the\b|my\b)\w+,?\s+(?:i|we)(?:['\u2019]ll|\s+(?:promise|will|would))\b|^(?:what\s+)?if\b|^(?:suppos(?:e|ing)|assum(?:e|ing)|imagin(?:e|ing)|let['\u2019]?s\s+(?:say|"
            r"assume|suppose|pretend)|say\s+(?:i|we|that)|maybe|perhaps|possibly|in\s+case|unless|otherwise)\b|"
            r"\b(?:was|were)\s+(?:going|about)\s+to\b|\b(?:i|we)\s+(?:might|may|could(?!\s+never)|would|wouldn['\u2019]t|should|wonder|wish|doubt)\b|\b(?:i|we)['\u2019]d\s+"
            r"(?:be|have|go|buy|do|say|never)\b|\bif\s+(?:i|we)\s+(?:were|had|lived|was|could|won)\b|\bi\s+wish\b|"
            r"\bi\s+was\s+wondering\b|\b(?:hypothetically|for\s+example|for\s+instance|as\s+if|for\s+the\s+sake\s+of)\b|\bi(?:['\u2019]m|\s+am)\s+(?:thinking\s+"
            r"(?:of|about)|considering|not\s+sure)|\bi\s+(?:think|guess|believe)\s+(?:i|we|my)\b"
        ),
    ),
    (
        "of the assistant",
        any_case(
            r"^(?:you|your|you['\u2019](?:re|ve|d|ll))\b|\b(?:i|we)(?:['\u2019]ve|\s+have)?\s+(?:told|asked|said\s+to)\s+you\b|\byou\s+(?:told|said|wrote|gave|mentioned|suggested|"
            r"recommended|answered|are|were|have|sound|seem)\b|\byour\s+(?:last|previous|first|second|answer|"
            r"reply|story|suggestion|recipe|code|solution)\b"
        ),
    ),
    (
        "hearsay",
        any_case(
            r"^(?:i|we)\s+(?:read|heard|saw|learned)\s+(?:that|somewhere|online|about)\b|^(?:he|she|they|it)\s+"
            r"(?:said|says|wrote|asked|told)\b|^(?:people|they|some)\s+say\b|^according\s+to\b|"
            r"^(?:someone|somebody|everyone|everybody|(?:a|the|some|this)\s+(?:guy|man|woman|bloke|lady|person|stranger|host|doctor)\b.{0,30})"
            r"\s.{0,40}\b(?:says?|said|told|claims?|claimed)\b|"
            r"\b(?:says?|said|wrote|writes|reads?|goes|stated?)\s*[:,]\s|\bbeen\s+told\b|"
            r"\b(?:my|a)\s+(?!(?:\w+\s+)?(?:doctor|gp|dentist|therapist|vet|specialist|midwife|physio))(?:\w+\s+){1,2}(?:says?|said|claims?|claimed|thinks?|thought|told\s+me)\b"
        ),
    ),
    ("hearsay", e.REPORTED),
    ("everybody", e.EVERYBODY),
    ("a paper", e.OF_A_PAPER),
    (
        "small talk",
        any_case(
            r"^(?:good\s+(?:morning|night|evening)|hello|hi|hey|bye|goodbye|see\s+you|talk|thanks?|thank\s+you|"
            r"thx|cheers|lol|haha+|wow|great|nice|cool|perfect|awesome|okay|ok|yes|yep|yeah|no|nope|sure|right|"
            r"sorry|congrat\w*|never\s*mind|welcome)\b[\s,!.]*(?:\S+\s*){0,5}$|\b(?:i|we)\s+(?:had|have|['\u2019]ve)\s+"
            r"no\s+idea\b|\bi\s+(?:don['\u2019]?t|do\s+not|didn['\u2019]?t|can['\u2019]?t|cannot)\s+(?:know|understand|"
            r"get\s+(?:it|why|how)|see\s+(?:why|how)|think|care|mind|mean|remember|follow|believe|tell)\b|"
            r"\bi\s+meant\b|^i\s+(?:see|agree|understand|mean|hope\s+so|suppose\s+so|got\s+it|give\s+up)[\s.!,]*$|"
            r"\bi\s+(?:love|like|hate|prefer)\s+(?:it|this|that|you|your|how|what|where|the\s+(?:tone|style|idea|first|second|way|look|sound|plan))\b|\bi\s+(?:hope|appreciate|suppose)\b"
        ),
    ),
    (
        "passing state",
        any_case(
            r"\b(?:i|we)(?:['\u2019]?m|['\u2019]re|\s+am|\s+are|\s+feel|\s+was|['\u2019]m\s+feeling)\s+(?:(?:so|very|really|"
            r"just|too|a\s+bit|a\s+little|quite|pretty|totally|completely|still|all|not|super)\s+)*(?:tired|bored|"
            r"hungry|thirsty|nervous|happy|sad|sorry|sure|fine|ok|okay|good|great|confused|stuck|back(?!\s+(?:on|to|at|in)\b)|here|done|"
            r"ready|lost|excited|sleepy|exhausted|curious|free|busy|late|annoyed|angry|cold|hot|glad|impressed|"
            r"well|off|alright|worried|stressed|surprised|kidding|joking|serious|like)\b(?!\s+(?:of|with\s+\w+itis|to\s+(?-i:[A-Z])))"
            r"|\b(?:i['\u2019]m|i\s+am|we['\u2019]re)\s+(?:going\s+to\s+(?:bed|sleep|try|check|use)|off\s+to\s+(?!(?-i:[A-Z]))|about\s+to|"
            r"the\s+(?:shop|store|gym)|trying|getting|having|seeing|using\s+(?:the|your|this)|asking|talking|waiting|(?:writing|drafting|preparing|making|doing)\s+(?:an?|my|the|this|some)\s+(?:\w+\s+)?(?:letter|"
            r"email|report|essay|slides|presentation|post|list|speech|cv|resume|homework|dinner|lunch|cake)|cooking)\b(?!.*\b(?:baby|married)\b)|"
            r"\bi\s+(?:feel|need\s+a\s+(?:break|coffee|minute|nap)|have\s+to\s+(?:go|run)|have\s+no\s+(?:time|clue|idea))\b|"
            r"\bto\s+kill\b|\bi(?:['\u2019]ve|\s+have)\s+been\s+(?:waiting|trying|thinking|wondering|looking|getting)\b|"
            r"\b\d+\s?%\s+sure\b|\bi\s+keep\s+\w+ing\b"
        ),
    ),
    (
        "somebody else's",
        any_case(
            r"^(?:asking\s+|this\s+is\s+)?for\s+(?:an?|my)\s+(?:[\w-]+\s+)?\w+\s*:|^(?:so\s+|one\s+of\s+)?(?:my|our|a|the)\s+(?:\w+\s+){0,2}(?:clients?|patients?|customers?|pupils?|students?)\b|"
            r"\b(?:asked|asks|asking)\s+(?:me|us|for\s+a\s+friend)\b"
        ),
    ),
    (
        "the task at hand",
        any_case(
            r"^as\s+an?\s+\w+,?\s+i\s+(?:want|can|need|should)\b|"
            r"\b(?:my|the)\s+(?:question|problem|issue|prompt|request|code|function|script|program|query|error|"
            r"output|input|loop|list|array|variable|table|file|build|test|compiler|regex|point)s?\s+(?:is|are|was|"
            r"takes?|returns?|fails?|gives?|says?|shows?|should|does|doesn|has)\b|\b[a-z]+_[a-z]+\b|[{}<>=;|]{1,}|"
            r"\w\(\)"
        ),
    ),
)

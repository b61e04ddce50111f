"""What English grammar alone says of a sentence: person, tense, an elided subject, no verb. Data only.

Closed-class words, the irregular past forms (a closed class too) and word order. No list here holds
topics, names or set phrases: those that cannot be done without are in `vocabulary` and `exclusions`.
Knows how to tell that a sentence is in another language, and none of those languages.
"""

import re
from typing import Final


def any_case(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_A: Final = r"['\u2019]"
_NUMERAL: Final = (
    r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|both|several|many|\d+)"
)
# Points at the talk itself, or at a thing the listener is looking at.
_POINTS: Final = r"(?:it|this|that|these|those|them|you|your|yours|so)\b"
PAST_FORMS: Final = (
    "ate|became|began|bet|bit|bled|blew|bought|brought|broke|built|burnt|burst|came|caught|chose|cut|dealt|drank|drew|drove|"
    "dug|fed|fell|felt|fled|flew|forgave|forgot|fought|found|froze|gave|grew|had|heard|held|hid|hit|hung|hurt|kept|knelt|lay|led|"
    "left|lent|lit|lost|made|met|paid|put|quit|ran|rang|rode|rose|sang|sank|sat|saw|sent|shot|shrank|shut|slept|sold|"
    "spent|split|spoke|spread|stole|stood|stuck|swam|swept|swore|taught|threw|took|tore|went|woke|won|wore|wrote"
)
# Verbs of saying, thinking and wishing: "I think", "we know" tell of the talk, not of a life.
_OF_THE_TALK: Final = (
    "agree|appreciate|ask|assume|believe|bet|call|care|check|click|copy|define|disagree|doubt|enter|expect|feel|find|forget|get|"
    "guess|hear|hope|imagine|insist|intend|keep|know|let|look|make|mean|mention|mind|need|notice|open|paste|press|put|reckon|"
    "remember|repeat|run|save|say|see|seem|set|start|suggest|suppose|swear|tell|thank|think|try|type|understand|want|wish|wonder"
)
_AUXILIARY: Final = (
    rf"(?:am|are|is|was|were|be|been|have|had|has|do|does|did|don{_A}?t|didn{_A}?t|doesn{_A}?t|can|can{_A}?t|cannot|could|couldn{_A}?t|"
    rf"will|won{_A}?t|would|wouldn{_A}?t|shall|should|shouldn{_A}?t|may|might|must|ought|aren{_A}?t|isn{_A}?t|wasn{_A}?t|weren{_A}?t|"
    rf"haven{_A}?t|hasn{_A}?t|hadn{_A}?t|need|dare)"
)
_ADVERB: Final = (
    "also|still|now|currently|always|usually|often|mostly|mainly|both|all|only|really|sometimes|never|rarely|hardly|each|even|"
    "actually|already|just"
)
_BETWEEN: Final = rf"(?:(?:{_ADVERB})\s+)*"
_WE: Final = r"(?:i|we|(?:my|our)\s+(?:\w+\s+){1,2}and\s+i|neither\s+(?:\w+\s+){1,3}nor\s+i)"
_PREPOSITION: Final = r"(?:in|at|on|from|with|without|near|between|under|over|for|of|to|by|as|across|around|behind|above|below|along)"
# Verbs of state take no imperative, so one that opens a sentence has lost its "I".
_OF_STATE: Final = (
    "adore|belong|detest|dislike|dread|enjoy|fear|hate|live|loathe|love|own|prefer|suffer|work"
)

# "for ten years", "since 2012", "all my life": what is counted in weeks or more, or has a beginning.
DURATION: Final = any_case(
    r"\b(?:for|in|over|about|almost|nearly|of|past|last)\s+(?:\w+\s+){0,3}?(?:weeks|months|years?|decades?|ages)\b(?!\s+(?:ago|old))|"
    r"\bsince\s+(?:birth|childhood|school|(?:19|20)\d\d|i\b|we\b|my\b|our\b|the\s+\w+|january|february|march|april|may|june|july|august|"
    r"september|october|november|december)|\b(?:all|most\s+of)\s+my\s+life\b|\bmy\s+(?:whole|entire)\s+life\b|"
    r"\b(?:any\s?more|any\s+longer)\b"
)
# A present tense that names no single occasion: what someone does as a rule.
_AS_A_RULE: Final = (
    rf"(?:^|[,;]\s*|\b(?:and|but|because|so|while|where|since|that)\s+){_WE}\s+{_BETWEEN}"
    rf"(?!(?:{_OF_THE_TALK}|{_AUXILIARY}|{PAST_FORMS}|{_PREPOSITION}|{_ADVERB}|{_POINTS})\b)(?!\w+(?:ed|ing|ly)\b)[a-z]{{2,}}\b"
)
HABIT: Final = any_case(rf"{_AS_A_RULE}(?!\s+(?:{_POINTS}|the\s|a\s|an\s))(?=\s+\w|\s*[.!]?$)")
HABIT_OF_ONE_THING: Final = any_case(rf"{_AS_A_RULE}\s+(?:the|an?)\s")
# "I'm in procurement", "we aren't married", "I'm not religious"
BEING: Final = any_case(
    rf"\b(?:i{_A}?m|i\s+am|we{_A}re|we\s+are)\s+(?:(?:now|still|both|currently|only|also|all)\s+)*(?:in|at|on|from|with|of|between|near)\s+"
    rf"(?!{_POINTS}|(?<=at\s)the\b|my\s+way|(?:the\s+|a\s+)?(?:same|other|middle|hurry|page|way|road|phone|bus|train|line|hold|step)\b)\w+|"
    rf"\bi{_A}?m\s+(?:more|something)\s+of\s+an?\b|"
    rf"\b(?:i{_A}?m|i\s+am|we{_A}re|we\s+are)\s+(?:not|no\s+longer)\s+(?:an?\s+)?\w+|\bwe\s+aren{_A}?t\s+\w+"
)
# "There are five of us", "it takes me an hour": the person stands where a subject's place is taken.
OF_US: Final = any_case(rf"\b(?:{_NUMERAL}|half|most|some|none|all|each|one)\s+of\s+us\b")
TAKES_ME: Final = any_case(r"\bit\s+(?:always\s+|usually\s+)?(?:takes|costs)\s+(?:me|us)\b")
# "Crowds make me panic", "Spicy food doesn't agree with me": no article, no past, and the person.
GENERIC_FOR_ME: Final = any_case(
    rf"^(?!(?:the|an?|this|that|these|those|my|our|your|his|her|their|its|it|he|she|they|you|we|i|who|what|let|please|give|tell|show|help|"
    rf"make|send|write|remind|ask|call|teach|wish|excuse|forgive|trust|remember|for|to|in|on|at|with|as|if|when|thanks|thank|there|here)\b)"
    rf"(?:[a-z'\u2019-]+\s+){{1,3}}?(?:(?:always|often|never|really|usually)\s+)*(?:[a-z]+s|make|give|doesn{_A}?t\s+\w+|don{_A}?t\s+\w+|"
    rf"help|scare|bore|upset|calm|hurt|remind|bother|annoy|bring|drive|keep)\s+(?:\w+\s+){{0,2}}?(?:me|us|my\s+\w+)\b"
)
MY_ONE: Final = any_case(
    rf"\b(?:is|are|was|were)(?:n{_A}t)?\s+(?:my|our|the\s+only\s+\w+\s+(?:i|we))\b(?!\s+(?:turn|question|point|problem|fault|mistake))"
)
# What happens each time something else does: "when I present", "after we eat"
EACH_TIME: Final = any_case(
    rf"\b(?:when|whenever|after|every\s+time|as\s+soon\s+as)\s+(?:i|we|he|she|they|it)(?:{_A}(?:m|re|s))?\s+(?!was|were|\w+ed\b)[a-z]+\b"
)
# "Our shop opens at six", "my bedroom faces the street": a present tense of what is the person's.
MINE_DOES: Final = any_case(
    rf"\b(?:my|our)\s+(?:[\w-]+\s+){{1,3}}?(?!(?:is|was|has|does|sounds|looks|smells|feels|tastes|seems|keeps|says|thinks|wants|returns|shows|"
    rf"gives|fails|crashes|hurts|\w+(?:ss|us|is))\b)[a-z]{{2,}}s\s+(?:the|an?|my|our|me|us|up|down|out|{_PREPOSITION}|about|every|only|{_NUMERAL})\b"
)
# Where one statement of a sentence ends and another begins.
CLAUSES: Final = any_case(
    r"[,;]?\s+(?:and|but|so)\s+(?=(?:i|we|my|our|he|she|they|both|two|three|four|none|neither)\b)|\s*;\s*|\s+\u2014\s+|\s+--?\s+"
)
# An act of somebody upon the person: "put me on", "offered us"
DONE_TO_ME: Final = any_case(rf"\b(?:{PAST_FORMS}|\w{{3,}}ed)\s+(?:me|us)\b")
PAST: Final = any_case(
    rf"\b{_WE}\s+{_BETWEEN}(?:(?:have|{_A}ve|had)\s+)?(?:{PAST_FORMS}|\w{{2,}}[^e\W]ed|\w{{2,}}[aeiou]ed)\b"
)

# "I haven't eaten meat", "we've lived": with a duration it is true to this day
PERFECT: Final = any_case(
    rf"\b(?:i|we)(?:{_A}ve|\s+have(?:n{_A}t|\s+not)?)\s+(?:(?:{_ADVERB}|not)\s+)*(?:been|done|gone|eaten|driven|seen|known|spoken|written|"
    rf"taken|given|drunk|run|come|{PAST_FORMS}|\w+ed)\b"
)
THERE_IS_MINE: Final = any_case(rf"\bthere(?:{_A}s|\s+(?:is|are))\b.*\b(?:in|on|at)\s+(?:my|our)\b")
# ---- a subject that was left out ----

ELIDED_BE: Final = any_case(
    rf"^(?:(?:just|only|also|always|still|never|once)\s+)*(?:been|was|were|am|used\s+to\s+be)\s+(?!(?:{_POINTS}|i|we|he|she|they|there|the)\b)\w+"
)
ELIDED_NOT: Final = any_case(
    rf"^(?:(?:just|really|still|also|simply)\s+)*(?:can{_A}?t|cannot|haven{_A}?t|couldn{_A}?t|won{_A}?t|wasn{_A}?t|never)\s+(?:been\s+|yet\s+)?"
    rf"(?!(?:{_POINTS}|i|we|he|she|they|there|mind|forget)\b)(?:\w+\s+)(?!(?:{_POINTS}|the|why|how|what|where|when|if|of|to\s+(?:the|it))\b)\w+"
)
ELIDED_STATE: Final = any_case(
    rf"^(?:(?:just|really|still|also|currently|now|both)\s+)*(?:{_OF_STATE})\s+(?!(?:{_POINTS}|to|how|what|when|where|why|the)\b)\w+|"
    rf"^(?:have|got|own)\s+(?:{_NUMERAL}|an?|no|my)\s+(?!(?:look|go|try|guess|bit|question|problem|minute|second)\b)\w+"
)
ELIDED_PAST: Final = any_case(
    rf"^(?:(?:just|only|also|finally|recently|once|never)\s+)*(?:{PAST_FORMS}|[a-z]{{2,}}[^e\W]ed|[a-z]{{2,}}[aeiou]ed)\s+"
    rf"(?<!found\s)(?<!tried\s)(?!(?:{_POINTS}|by|on|at|of|my\s+way)\b)\w+"
)

# ---- a sentence without a verb ----

# It points at the talk, not at the person: "Same error again.", "In French this time."
OF_THIS_TALK: Final = any_case(
    r"\b(?:this|that|these|those|again|same|above|below|following|previous|first|second|last|next|other|so\s+far|instead)\b"
)
NO_NOUN: Final = any_case(
    r"(?:^|,\s*|\band\s+|\bbut\s+)(?:no|not|never|without|neither|zero)\s+\w+"
)
COUNTED: Final = any_case(rf"\b{_NUMERAL}\b")
LISTED: Final = re.compile(r",\s*\w")
STANDS_IN: Final = any_case(
    rf"^(?:on|in|at|from|under|with|without)\s+(?!{_POINTS})(?:\w+\s+){{2,}}"
)
# "Afraid of", "New in", "Mother of": a noun or adjective that takes its complement right away
COMPLEMENT: Final = any_case(
    r"^(?:(?:not|still|very|really|quite|rather|always|now|an?|big|huge|(?:\w+ly))\s+)*"
    r"(?!(?:thanks|according|because|instead|kind|sort|out|speaking|more|most|some|all|one|lots?|plenty|bit|part|half|back|next|up|down|"
    r"due|prior|compared|regardless|list|type|types|history|example|examples|best|top|same|which|what|none|each|any|both|either|time|"
    r"way|ways|problem|question|questions|idea|ideas|help)\b)[a-z-]+\s+(?:of|to|in|at|with|from)\s+\w+"
)
HERE: Final = any_case(r"\w\s+here(?=[.,!]|$)")
FOR_ME: Final = any_case(r"\b(?:for|with|to)\s+(?:me|us)\b(?!\s+(?:please|to))")

# ---- whose words ----

_SPOKE: Final = (
    "says?|said|tells?|told|claims?|claimed|thinks?|thought|writes?|wrote|believes?|believed|insists?|insisted|swears?|swore|"
    "reckons?|reckoned|suggests?|suggested|argues?|argued|mentions?|mentioned|asks?|asked|announced?|assumes?|assumed|texted|emailed|"
    "pretends?|pretended|hopes?|guesses|guessed|wishes|replied"
)
_EXPERT: Final = r"(?:doctor|gp|dentist|therapist|vet|specialist|midwife|physio|surgeon|consultant|nurse|optician)"
# Somebody else's subject and a verb of saying or thinking: what follows is theirs.
REPORTED: Final = any_case(
    rf"^(?:(?:and|but|so|now|then|also|apparently)\s+)*(?!(?:i|we)\b)(?!(?:\w+\s+){{0,2}}{_EXPERT}\b)(?:he|she|they|people|(?:the|an?|my|our|his|her|"
    rf"their|some|one\s+of\s+my|this|that)\s+(?:[\w'\u2019-]+\s+){{0,3}}?[\w'\u2019-]+|(?-i:[A-Z])\w+)\s+(?:(?:just|also|always|once|even|has|have|had|"
    rf"keeps?|recently)\s+)*(?:{_SPOKE})\b"
)
# Everybody's "we": mankind, a class of readers, a calculation.
EVERYBODY: Final = any_case(
    r"\bas\s+(?:humans|people|a\s+(?:species|society|nation|people|rule))\b|\bwe\s+(?:all|know|see|define|assume|consider|call|humans|"
    r"people|can\s+(?:see|say|call|assume|define|write)|live\s+in\s+an?\s+\w+\s+(?:of|where|that|obsessed|full)|need\s+\w+\s+(?:hours|litres))\b|"
    r"\bour\s+(?:planet|solar|species|society|universe|galaxy|ancestors|world|civili[sz]ation|atmosphere|sun|brains?|bodies)\b"
)

# "We propose a method", "in our trial": the "we" of a paper.
OF_A_PAPER: Final = any_case(
    r"\bwe\s+(?:also\s+|then\s+|therefore\s+|further\s+)?(?:propose|present|show|demonstrate|recommend|conclude|evaluate|observe|find|"
    r"measure|enrol+|investigate|report|describe|introduce|analy[sz]e|compare|hypothesi[sz]e|derive|prove)(?:d|ed)?\b|"
    r"\b(?:in|of)\s+(?:our|this|the)\s+(?:trial|study|paper|experiment|survey|sample|cohort)\b|\bour\s+(?:results|findings|data|method)\b"
)
# A subject nobody has met: "A colleague moved", "Some people work", "Guy at the gym"
A_STRANGER: Final = any_case(
    r"^(?:an?|some|one\s+of\s+(?:my|our|the)|most|many)\s+(?:[\w-]+\s+){0,3}?(?:friends?|colleagues?|people|person|guys?|men|man|women|woman|"
    r"neighbou?rs?|co-?workers?|acquaintances?|cousins?|students?|kids?|girls?|boys?)\b|^(?:guy|bloke|man|woman|lady|people|folks)\b|"
    r"^(?:this|that|the)\s+(?:\w+\s+)?(?:guy|bloke|man|woman|lady|couple|people|boy|girl|kid)\b|^(?:my|our)\s+\w+['\u2019]s\s+[\w-]+\s+(?!is\b|was\b|name\b)\w+s\b"
)

# ---- another language ----

_ENGLISH: Final = """a about after all also am an and any are as at be been before but by can can't do does don't for from had has have he
    her here his how i i'd i'll i'm i've if in is it it's its just like me my never no not of on or our out she since so some
    still that the their them then there they this to too until up us was we we're we've were what when where which who why
    will with without would you your"""
_ENGLISH_WORDS: Final = frozenset(_ENGLISH.split())
_FOREIGN: Final = """ich und der das ist ein eine einen mein meine meinen wir nicht mit f\u00fcr auf habe haben sind auch seit von zum zur aber sie
    je j'ai j'habite j'aime suis et le la les des un une est mon ma mes nous pas avec pour dans \u00e0 au du que qui chez depuis
    yo soy tengo el los las y una mi mis es estoy con para por del muy desde se al
    io sono ho e il lo gli mio mia miei della di che non anche abito
    eu sou tenho os uma meu minha com n\u00e3o moro em na o \u00e9
    ik ben een het mijn wij niet voor heb en te naar
    jestem nie na moja mieszkam si\u0119 jag och \u00e4r inte har jeg og ikke
    gegen aus nach bei \u00fcber aux ne ve bir benim i\u00e7in de\u011fil jsem m\u00e1m on\u00f3 este doi nama saya ako"""
_FOREIGN_WORDS: Final = frozenset(_FOREIGN.split())
# As people type them; the others ("ill", "were", "id") are words of their own.
_BARE: Final = re.compile(
    r"\b(im|ive|dont|cant|didnt|doesnt|isnt|arent|wasnt|havent|hasnt|wont|couldnt|wouldnt|shes|hes|theyre|youre|theyve|youve|thats)\b",
    re.IGNORECASE,
)


def with_apostrophes(sentence: str) -> str:
    """The sentence as a careful typist writes it: "im" as "i'm"."""
    return _BARE.sub(_write_out, sentence)


def _write_out(match: re.Match[str]) -> str:
    word = match.group()
    ending = 2 if word[-2:].lower() in ("re", "ve") else 1
    return f"{word[:-ending]}'{word[-ending:]}"


_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_LATIN: Final = re.compile(r"[A-Za-z\u00c0-\u024f]")


def is_english(sentence: str) -> bool:
    """Whether nothing says that a sentence is in another language: its small words and its letters.

    A sentence without any small word ("Penicillin allergy.") passes.
    """
    found: list[str] = [word.replace("\u2019", "'") for word in _WORD.findall(sentence)]
    n_letters = sum(map(len, found))
    if n_letters and sum(bool(_LATIN.match(c)) for word in found for c in word) < n_letters / 2:
        return False
    # A capital inside a sentence is a name ("in La Paz", "with Los Lobos").
    small = [word.lower() for at, word in enumerate(found) if at == 0 or word[0].islower()]
    n_english = sum(word in _ENGLISH_WORDS or word == "i" for word in small)
    n_english += sum(word == "I" for word in found[1:])
    n_foreign = sum(word in _FOREIGN_WORDS for word in small)
    return n_foreign <= n_english

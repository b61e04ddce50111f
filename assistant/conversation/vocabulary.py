"""The words and patterns by which `selection` knows a lasting statement of a person. Data only.

English. Matching is by small letters unless a name is looked for, for people type "i live in Gent".
"""

import re
from types import MappingProxyType
from typing import Final


def _any(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_APOSTROPHE: Final = r"['\u2019]"
_A: Final = _APOSTROPHE
_I: Final = rf"\b(?:i|we|my\s+(?:\w+\s+){{1,2}}and\s+i)(?:{_A}(?:m|re|ve|d|ll))?\b"
_ADVERBS: Final = (
    r"(?:(?:also|still|now|currently|recently|just|finally|always|usually|often|never|only|really|"
    r"actually|both|already|mostly|mainly|sometimes|once|first|even|absolutely|totally|no\s+longer|"
    r"all|am|are|have|had|was|were|been|do|did|don['\u2019]?t|not)\s+)*"
)

KIN: Final = (
    r"(?:(?:great-|grand|step|half-|ex-|god|foster\s+)*(?:mother|father|mum|mom|mummy|mommy|dad|daddy|"
    r"parents?|brothers?|sisters?|siblings?|sons?|daughters?|child|children|kids?|baby|twins?|"
    r"nan|nana|gran|granny|grandma|grandpa|granddad|grandad|uncles?|aunts?|auntie|cousins?|nephews?|"
    r"nieces?|wife|husband|partner|spouse|fianc[e\u00e9]+|girlfriend|boyfriend)(?:-in-law)?|ex|"
    r"best\s+friend|friends?|flatmates?|roommates?|housemates?|neighbou?rs?|colleagues?|co-?workers?|"
    r"boss|manager|supervisor|landlord|landlady|doctor|dentist|therapist|teacher|tutor|coach|mentor|"
    r"dogs?|cats?|puppy|kitten|rabbits?|horses?|parrots?|hamsters?|pets?)"
)

# ---- not the person speaking ----

FOREIGN: Final = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`|^(?:>|\t| {4,}\S)[^\n]*$|https?://\S+|"
    r"\"[^\"\n]*\s[^\"\n]*\"|\u201c[^\u201d\n]*\s[^\u201d\n]*\u201d|^(?:system|assistant|user|q|a|"
    r"question|answer|example|e\.g\.|sentence|original|quote|excerpt|input|output|premise|note\s+from\s+\w+)\s*:[^\n]*$|"
    r"^(?:dear\s+\w|(?:from|to|subject|date)\s*:\s).*\Z",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
PASTED: Final = re.compile(
    r"^[^\n:]*\b(?:summari[sz]e|translate|proofread|rewrite|rephrase|paraphrase|edit|correct|fix|improve|"
    r"shorten|analy[sz]e|classify|review|check|here(?:\s+is|['\u2019]s)\s+(?:the|a|an|my|this)\s+(?:\w+\s+)?(?:text|"
    r"email|letter|poem|lyrics?|passage|paragraph|article|draft|essay|message|transcript|log|code))\b"
    r"[^\n:?.]*[:?.][ \t]*(?:\n|(?=[\"\u201c>])|(?<=:))",
    re.IGNORECASE,
)
FICTION: Final = _any(
    r"\b(?:act\s+as|pretend|role-?\s?play|imagine\s+(?:you|that\s+you|being)|you\s+are\s+(?:now\s+)?an?\b|"
    r"(?:write|tell|continue|invent)\s+(?:me\s+)?(?:a|an|the|my|this|another)\s+(?:[\w-]+\s+){0,3}"
    r"(?:story|poem|song|scene|dialogue|tale|fable|chapter|screenplay|monologue)|"
    r"my\s+(?:main\s+)?(?:character|protagonist|hero|heroine|villain)\b|"
    r"(?:in|for)\s+(?:my|the|this)\s+(?:story|novel|book|game|dream|film|movie|script|campaign|song|poem|"
    r"exercise|scenario|riddle|puzzle|play|sketch)\b)"
)

# ---- what stands around a statement ----

OPENING: Final = _any(
    r"(?:(?:hi|hello|hey|hiya|yo|good\s+(?:morning|afternoon|evening))(?:\s+(?:there|again|everyone))?"
    r"\s*[,!.:-]+\s*|(?:by\s+the\s+way|btw|fyi|fun\s+fact|for\s+context|context|background|note|well|ok(?:ay)?|"
    r"oh|ah|ugh|wow|so|also|anyway|actually|honestly|sadly|luckily|two\s+things|update|news|good\s+news|"
    r"bad\s+news|quick\s+question|yes|no|yeah|nope|thanks|thank\s+you|please)\s*[,:!\u2014-]+\s*|(?:and|but|so|also)"
    r"\s+(?=i\b|my\b|we\b|our\b|the\b)|(?:please\s+|just\s+)*(?:remember|note|keep\s+in\s+mind|don['\u2019]?t\s+"
    r"forget|bear\s+in\s+mind|you\s+should\s+know|you\s+may\s+want\s+to\s+know|be\s+aware)\s*(?:that\s+|:\s*|,\s*))"
)
CLOSING: Final = _any(r",?\s*\b(?:please|thanks|thank\s+you|by\s+the\s+way|btw)\s*[.!]*$")
TRAILING_QUESTION: Final = _any(
    r"\s*[,;\u2014-]+\s*(?:and\s+|so\s+|but\s+)?(?:what|which|who|how|why|where|when|can|could|should|would|"
    r"will|do|does|did|is|are|any)\b[^,;]*\?$"
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
        _any(
            r"^(?:and\s+|but\s+|so\s+)?(?:what|which|who|whom|whose|how|why|where)\b(?!ever)(?:['\u2019]s)?\s|"
            r"^(?:can|could|would|will|should|do|does|did|is|are|am|was|were|has|have|may|shall)\s+"
            r"(?:i|you|we|it|he|she|they|there|this|that|the|my|your)\b|^any\s+(?:\w+\s+)?(?:ideas?|tips?|"
            r"advice|suggestions?|thoughts)\b"
        ),
    ),
    (
        "request",
        _any(
            rf"^(?:please[\s,]+|now[\s,]+|then[\s,]+|just\s+|ok[\s,]+)*(?:{_IMPERATIVES})\b(?!['\u2019-])"
        ),
    ),
    (
        "request",
        _any(
            r"\bi(?:['\u2019]d|\s+would)\s+(?:like|love|appreciate)\s+(?!to\b)|\bi\s+(?:want|need|expect|ask)\s+"
            r"(?:you|it|this|that|these|them|help|advice|some|a\s+(?:list|table|recipe|plan|summary|script|"
            r"function|way|word|name|title|poem|story|letter|email))\b|"
            r"\bi(?:['\u2019]d\s+like|\s+would\s+like|\s+want|\s+need)\s+to\s+(?:know|see|ask|understand|hear|"
            r"find\s+out)\b|\b(?:tell|show|give|help|remind)\s+me\b|\bi(?:['\u2019]m|\s+am)\s+(?:looking\s+for|"
            r"asking|wondering|trying\s+to\s+(?:understand|figure))|\blet\s+me\s+know\b|^no\b.{0,20}\bplease\b"
        ),
    ),
    (
        "hypothesis",
        _any(
            r"^(?:what\s+)?if\b|^(?:suppos(?:e|ing)|assum(?:e|ing)|imagin(?:e|ing)|let['\u2019]?s\s+(?:say|"
            r"assume|suppose|pretend)|say\s+(?:i|we|that)|maybe|perhaps|possibly|in\s+case|unless|otherwise)\b|"
            r"\b(?:i|we)\s+(?:might|may|could|would|wouldn['\u2019]t|should|wonder|wish|doubt)\b|\b(?:i|we)['\u2019]d\s+"
            r"(?:be|have|go|buy|do|say|never)\b|\bif\s+(?:i|we)\s+(?:were|had|lived|was|could|won)\b|\bi\s+wish\b|"
            r"\b(?:hypothetically|for\s+example|for\s+instance|as\s+if)\b|\bi(?:['\u2019]m|\s+am)\s+(?:thinking\s+"
            r"(?:of|about)|considering|not\s+sure)|\bi\s+(?:think|guess|believe)\s+(?:i|we|my)\b"
        ),
    ),
    (
        "of the assistant",
        _any(
            r"^(?:you|your|you['\u2019](?:re|ve|d|ll))\b|\byou\s+(?:told|said|wrote|gave|mentioned|suggested|"
            r"recommended|answered|are|were|have|sound|seem)\b|\byour\s+(?:last|previous|first|second|answer|"
            r"reply|story|suggestion|recipe|code|solution)\b"
        ),
    ),
    (
        "hearsay",
        _any(
            r"^(?:i|we)\s+(?:read|heard|saw|learned)\s+(?:that|somewhere|online|about)\b|^(?:he|she|they|it)\s+"
            r"(?:said|says|wrote|asked|told)\b|^(?:people|they|some)\s+say\b|^according\s+to\b|"
            r"\b(?:says?|said|wrote|writes|reads?|goes|stated?)\s*[:,]\s|\bbeen\s+told\b|"
            r"\b(?:my|a)\s+(?!(?:\w+\s+)?(?:doctor|gp|dentist|therapist|vet|specialist|midwife|physio))(?:\w+\s+){1,2}(?:says?|said|claims?|claimed|thinks?|thought|told\s+me)\b"
        ),
    ),
    (
        "small talk",
        _any(
            r"^(?:good\s+(?:morning|night|evening)|hello|hi|hey|bye|goodbye|see\s+you|talk|thanks?|thank\s+you|"
            r"thx|cheers|lol|haha+|wow|great|nice|cool|perfect|awesome|okay|ok|yes|yep|yeah|no|nope|sure|right|"
            r"sorry|congrat\w*|never\s*mind|welcome)\b[\s,!.]*(?:\S+\s*){0,5}$|\b(?:i|we)\s+(?:had|have|['\u2019]ve)\s+"
            r"no\s+idea\b|\bi\s+(?:don['\u2019]?t|do\s+not|didn['\u2019]?t|can['\u2019]?t|cannot)\s+(?:know|understand|"
            r"get\s+(?:it|why|how)|see\s+(?:why|how)|think|care|mind|mean|remember|follow|believe|tell)\b|"
            r"^i\s+(?:see|agree|understand|mean|hope\s+so|suppose\s+so|got\s+it|give\s+up)[\s.!,]*$|"
            r"\bi\s+(?:love|like|hate)\s+(?:it|this|that|you|your)\b|\bi\s+(?:hope|appreciate|suppose)\b"
        ),
    ),
    (
        "passing state",
        _any(
            r"\b(?:i|we)(?:['\u2019]?m|['\u2019]re|\s+am|\s+are|\s+feel|\s+was|['\u2019]m\s+feeling)\s+(?:(?:so|very|really|"
            r"just|too|a\s+bit|a\s+little|quite|pretty|totally|completely|still|all|not|super)\s+)*(?:tired|bored|"
            r"hungry|thirsty|nervous|happy|sad|sorry|sure|fine|ok|okay|good|great|confused|stuck|back|here|done|"
            r"ready|lost|excited|sleepy|exhausted|curious|free|busy|late|annoyed|angry|cold|hot|glad|impressed|"
            r"well|off|alright|worried|stressed|surprised|kidding|joking|serious|like)\b(?!\s+(?:of|with\s+\w+itis))"
            r"|\b(?:i['\u2019]m|i\s+am|we['\u2019]re)\s+(?:going\s+to\s+(?:bed|sleep|try|check|use)|off\s+to|about\s+to|"
            r"the\s+(?:shop|store|gym)|trying|getting|having|seeing|using\s+(?:the|your|this)|asking|talking|waiting)\b(?!.*\b(?:baby|married)\b)|"
            r"\bi\s+(?:feel|need\s+a\s+(?:break|coffee|minute|nap)|have\s+to\s+(?:go|run)|have\s+no\s+(?:time|clue|idea))\b|"
            r"\bto\s+kill\b|\bi(?:['\u2019]ve|\s+have)\s+been\s+(?:waiting|trying|thinking|wondering|looking|getting)\b|"
            r"\b\d+\s?%\s+sure\b|\bi\s+keep\s+\w+ing\b"
        ),
    ),
    (
        "the task at hand",
        _any(
            r"\b(?:my|the)\s+(?:question|problem|issue|prompt|request|code|function|script|program|query|error|"
            r"output|input|loop|list|array|variable|table|file|build|test|compiler|regex|point)s?\s+(?:is|are|was|"
            r"takes?|returns?|fails?|gives?|says?|shows?|should|does|doesn|has)\b|\b[a-z]+_[a-z]+\b|[{}<>=;|]{1,}|"
            r"\w\(\)"
        ),
    ),
)

# ---- what speaks for keeping a sentence ----

_HAVE: Final = (
    rf"(?:have|had|{_A}ve|{_A}ve\s+got|have\s+got|own|bought|got|keep|adopted|inherited|rent)"
)
_STATES: Final = (
    "live|lived|work|worked|study|studied|teach|taught|train|play|played|speak|drive|ride|run|own|"
    "grew|was born|were born|come from|belong|volunteer|commute|sing|paint|write|bake|cook|farm|"
    "rent|share|suffer|carry|wear|weigh|take|pay|earn|use|spend|go to|attend|help out|coach|lead|manage|"
    "founded|started|raised|served|retired|specialise|specialize|collect|practise|practice|swim|cycle|"
    "used to (?:live|work|be|have|play|own|smoke|drink|teach|study)|walk with|limp|snore|stutter|"
    "freelance|freelancing|subscribe|vote|celebrate|homeschool|keep|serve|sleep|work from|speak|know how"
)
_EVENTS: Final = (
    "moved|married|divorced|separated|graduated|passed|failed|retired|quit|resigned|bought|sold|adopted|"
    "broke|lost|won|died|passed away|was born|were born|is born|gave birth|got (?:engaged|married|divorced|fired|promoted|"
    "accepted|hired|the job|a job|diagnosed|pregnant)|was diagnosed|were diagnosed|been diagnosed|diagnosed with|"
    "was hired|was fired|was promoted|was laid off|started|finished|joined|left|opened|closed on|visited|"
    "travelled|traveled|flew|met|celebrated|had (?:a|an|my|our|her|his) (?:\\w+ )?(?:baby|surgery|operation|stroke|accident|"
    "bypass|miscarriage|interview|wedding|fight|replaced)|(?:hip|knee) replaced|crashed|stolen|ran my|ran a|hiked|cycled|handed in|"
    "emigrated|immigrated|relocated|switched (?:from|to)|retrained|recovered|broke up|split up|"
    "signed|enrolled|published|stopped|gave up|destroyed|flooded|burned|burnt|founded|planted|became|raised"
)
EVIDENCE: Final = MappingProxyType(
    {
        "preference": _any(
            rf"{_I}\s+{_ADVERBS}(?:like|love|adore|enjoy|hate|loathe|detest|dislike|prefer|favou?r|fear|avoid|"
            rf"can{_A}?t\s+(?:stand|bear|eat|drink|tolerate)|cannot\s+(?:stand|bear|eat|drink)|couldn{_A}?t\s+stand|"
            rf"would\s+rather|rather|(?:don{_A}?t|never|do\s+not)\s+(?:eat|drink|smoke|watch|read|listen|wear|use|"
            r"travel|fly|drive|like|care\s+for|want)|collect|always|usually|swear\s+by)\b|"
            rf"\bi{_A}d\s+rather\b|\bmy\s+(?:all-time\s+)?(?:favou?rite|preferred|least\s+favou?rite|dream)\b|\b(?:i{_A}?m|i\s+am|we{_A}re)\s+"
            r"(?:\w+\s+)?(?:(?:a\s+)?(?:vegan|vegetarian|pescatarian|teetotal\w*|morning\s+person|night\s+owl|fan\s+of|"
            r"big\s+fan)|afraid\s+of|scared\s+of|terrified\s+of|keen\s+on|fond\s+of|into|crazy\s+about|obsessed\s+with|"
            r"used\s+to\s+\w+ing)\b|\b(?:gone|go|went)\s+(?:vegan|vegetarian)\b|\bthese\s+days\s+i\b"
        ),
        "plan": _any(
            rf"{_I}\s+{_ADVERBS}(?:will|{_A}ll|shall|plan(?:ning)?\s+(?:to|on)|going\s+to|intend|hope\s+to|"
            r"want\s+to|would\s+like\s+to|aim\s+to|have\s+to|need\s+to|must|start\s|begin\s|leave\s|fly\s|move\s+(?:in|to|out)|"
            r"retire\s|defend|graduate\s|turn\s+\w+)\b|"
            rf"\bi{_A}d\s+(?:like|love)\s+to\b|\b(?:i{_A}?m|i\s+am|we{_A}?re|we\s+are|(?:my|our)\s+[\w\s]{{2,30}}?\s+(?:is|are)|"
            r"and\s+i\s+are)\s+"
            r"(?:(?:going|moving|flying|travelling|traveling|visiting|getting|starting|leaving|planning|hosting|"
            r"having|saving|training|expecting|turning|retiring|coming|staying|trying\s+for|applying|throwing|launching)\b)|"
            rf"{_I}\s+{_ADVERBS}(?:tickets?|booked|reserved|decided\s+to|signed\s+up)|\b(?:tickets|reservation|appointment|"
            r"deadline|exam|interview|surgery|wedding|recital|defen[cs]e|goal|flight)\b.{0,40}\b(?:is|on|in|for|at|:)\b|"
            r"\b(?:is|are)\s+due\b|\bruns?\s+out\b|\bexpires?\b"
        ),
        "event": _any(
            rf"(?:{_I}|\b(?:my|our|his|her)\s+[\w\s{_A[1:-1]},-]{{1,40}}?|\b(?:he|she|they|grandma|grandpa|mum|mom|dad)\b"
            rf"[\w\s]{{0,20}}?)\s*{_ADVERBS}\b(?:{_EVENTS})\b"
        ),
        "relation": _any(rf"\b(?:my|our)\s+(?:\w+\s+){{0,2}}?{KIN}\b"),
        "kin as a name": re.compile(
            r"\b(?:Mum|Mom|Dad|Grandma|Grandpa|Granddad|Grandad|Gran|Granny|Nan|Aunt|Uncle|Auntie)\b"
        ),
        "state": _any(rf"{_I}\s+{_ADVERBS}(?:{_STATES})\b"),
        "have": _any(rf"\b(?:i|we)\s*{_ADVERBS}{_HAVE}\s+(?!to\b|no\s+idea)"),
        "am": _any(
            rf"\b(?:i{_A}?m|i\s+am|we{_A}re|we\s+are|i{_A}ve\s+been|i\s+have\s+been|we{_A}ve\s+been|i\s+was|i\s+used\s+to\s+be)\s+"
            r"(?:\w+ly\s+|now\s+|still\s+|originally\s+|also\s+)*(?:an?|the|from|\d|in\s+my|born|allergic|intolerant|diabetic|"
            r"married|single|divorced|widowed|engaged|pregnant|retired|unemployed|self-employed|\w+-handed|deaf|"
            r"blind|colou?r-?blind|dyslexic|autistic|vegan|vegetarian|together|based|learning|studying|working|"
            r"living|training|writing|raising|renovating|remodell?ing|restoring|saving|recovering|rehearsing|fostering|"
            r"doing\s+(?:an?|my)\s+(?:\w+\s+)?(?:master\S*|degree|phd|doctorate|course|bachelor\S*|apprenticeship|internship)|"
            r"taking\s+(?:\w+\s+){0,3}(?:class|classes|lessons|course|courses|leave)|caring\s+for|looking\s+after|volunteering|teaching|running|building|\w+\s+intolerant|called|named|"
            r"diagnosed|taller|afraid|jewish|muslim|catholic|\w+ian\b|\w+ish\b)"
        ),
        "mine": _any(
            rf"\b(?:my|our)\s+(?:[\w{_A[1:-1]}-]+\s+){{1,4}}?(?:is|are|was|were|has|have|had|means?|costs?|lives?|works?|"
            rf"called|named|died|needs?|got|gets?|runs?|takes?|comes?|goes|teaches|plays)\b|\b(?:my|our)\s+\w+{_A}s\s+\w+|"
            rf"\b(?:it{_A}?s|is|was)\s+(?:my|our)\s+(?!turn|fault|mistake|bad)\w+"
        ),
        "elliptic": _any(
            r"^(?:(?:currently|now|just|recently|originally|still|also|been)\s+)*(?:from|born|raised|working\s+(?:as|at|for)|"
            r"living\s+in|moved\s+to|married|divorced|retired|allergic\s+to|intolerant|self-employed|(?:mother|father|"
            r"mum|mom|dad|parent)\s+of|got\s+(?:married|engaged|promoted|hired|fired|a\s+(?:new\s+)?(?:job|dog|cat|puppy|kitten|car|house)))\b"
        ),
        "introduction": re.compile(
            r"^(?:[Ii]|[Ii]['\u2019]m|[Cc]all me|(?:[Ii] am))\s+(?:am\s+)?(?!I\b)[A-Z][\w-]+(?:\s+[A-Z][\w-]+)?\s*[.!,]?$"
        ),
        "ability": _any(
            rf"{_I}\s+{_ADVERBS}(?:can|can{_A}?t|cannot|learned\s+to|know\s+how\s+to)\s+(?:\w+\s+)?(?:swim|cook|drive|ski|"
            r"dance|sing|read|write|see|hear|walk|smell|ride|type|speak|sleep|eat|drink|knit|sew|draw|sail)\b"
        ),
        "name is": _any(
            rf"\b(?:the|my|our)\s+(?:\w+\s+)?\w+{_A}s?\s+name\s+is\b|^(?:please\s+)?call\s+me\s+\w+\W*$"
        ),
        "harm": _any(
            r"\b(?:gives?|makes?|upsets?|triggers?|hurts?)\s+(?:me|my)\b.*\b(?:sick|ill|headaches?|migraines?|stomach|skin|"
            r"sleepy|anxious|nauseous|dizzy|allergy|asthma|back|knees?)\b"
        ),
        "of us": _any(
            r"\b(?:both|neither|none|all|most|one|two|three|four)\s+of\s+(?:us|my|our)\b|\bboth\s+my\b"
        ),
        "the kin": _any(rf"\bthe\s+(?:{KIN})\s+(?:is|are|was|were|has|have|had)\b"),
        "will": _any(
            rf"\b(?:i|we)(?:{_A}ll|\s+will)\s+(?!try|check|see|let|use|look|do\s+(?:it|that)|tell|show|ask)\w+"
        ),
        "diagnosis": _any(
            rf"\b(?:doctor|gp|dentist|therapist|specialist|midwife|cardiologist|dr)\b.*\b(?:i\s+have|i{_A}?m|i\s+am|i{_A}ve)\b"
        ),
        "me": _any(r"\b(?:me|us)\b"),
        "copula": _any(rf"^(?:he|she|it|they)(?:{_A}(?:s|re)|\s+(?:is|are|was|were|has|have))\s"),
        "third person": _any(rf"^(?:he|she|they)\b(?:{_A}s)?\s+\w+"),
        "past": _any(rf"{_I}\s+{_ADVERBS}\w+(?:ed|ent|ook|ame|aw|old|ade|ell|ent|ought|ote|ove)\b"),
        "name": re.compile(r"(?<=[a-z,] )(?!I\b|I['\u2019])[A-Z][\w-]+"),
        "number": re.compile(r"\b\d[\d.,]*\b"),
        "opinion": _any(
            r"^(?:the|that|this|it|those|these|everyone|everything|nothing)\b[^,]{0,40}\s(?:is|was|are|were|looks?|"
            r"sounds?|tastes?|came\s+out)\s+(?:\w+\s+)?(?:awful|great|good|bad|nice|terrible|funny|boring|amazing|"
            r"beautiful|cheaper|better|worse|wrong|right|weird|strict|crisp|perfect)\b"
        ),
        "task": _any(
            r"\b(?:want|need|have|going|trying|like|plan)\s+to\s+(?:\w+ly\s+)?(?:write|make|create|fix|find|print|convert|"
            r"parse|sort|use|build|install|run|get|understand|implement|add|remove|compute|calculate|compare|"
            r"check|prove|solve|show|explain|draw|plot|export|import|count|split|merge|say|express|translate)\b|"
            r"\b(?:have|had|got|['\u2019]ve)\s+(?:a|an|one|another|some|two)\s+(?:\w+\s+)?(?:questions?|problems?|idea|"
            r"ideas|issues?|error|bug|doubt|request|task|point|look|feeling|hunch|headache|headline|function|class|"
            r"list|string|table|file|script|loop|choice|favou?r|theory)\b|\b(?:have|had|['\u2019]ve)\s+(?:the\s+following|this|"
            r"these)\b|\b(?:dataframe|data\s?set|columns?|strings?|segfault|server|parameters?|formula|versions?|chapters?|"
            r"paragraphs?|essay|answers?|results?|unknowns|equations?|sentences?|regex|functions?|variables?|"
            r"matrix|(?:first|second|third|last|other)\s+(?:one|two)|topic|thread|command|screen|spreadsheet)\b"
        ),
        "to the assistant": _any(r"\byou(?:rs?|rself)?\b"),
        "joke": _any(r"\b(?:haha+|lol|lmao|just\s+kidding|jk)\b"),
    }
)
WEIGHTS: Final = MappingProxyType(
    {
        "preference": 1.0,
        "plan": 1.0,
        "event": 1.0,
        "relation": 1.0,
        "kin as a name": 0.7,
        "state": 1.0,
        "have": 1.0,
        "am": 1.0,
        "mine": 1.0,
        "elliptic": 1.0,
        "introduction": 1.0,
        "ability": 1.0,
        "name is": 1.0,
        "harm": 1.0,
        "of us": 0.8,
        "the kin": 0.7,
        "will": 0.5,
        "diagnosis": 1.0,
        "me": 0.2,
        "copula": 0.3,
        "third person": 0.3,
        "past": 0.5,
        "name": 0.3,
        "number": 0.3,
        "opinion": -1.0,
        "task": -1.0,
        "to the assistant": -0.5,
        "joke": -1.0,
        "relative date": 0.6,
        "date": 0.4,
    }
)
FOLLOWS_WEIGHT: Final = 0.4

DAY_AND_MONTH: Final = _any(
    r"\b(?:in|by|before|until|since|of|on|from)\s+(?:the\s+)?(?:end\s+of\s+)?(?:january|february|march|april|june|july|"
    r"august|september|october|november|december|monday|tuesday|wednesday|thursday|friday|saturday|sunday)s?\b|"
    r"\bin\s+may\b|\bthe\s+\d{1,2}(?:st|nd|rd|th)\b"
)
PRONOUN_START: Final = _any(
    rf"(?!it(?:{_A}?s|\s+is|\s+was)\s+(?:my|our)\b)(?:he|she|they|it|his|her|their|its)\b|(?:this|that|these|those)(?:{_A}s)?\s+(?:is|was|are|were|one)\s+(?!my\b|our\b)"
)
SELF_START: Final = _any(rf"(?:i{_A}m|we{_A}re)\s+\S+")
PAST_STATE: Final = _any(
    rf"\b(?:used\s+to|once|former(?:ly)?|previous(?:ly)?|no\s+longer|not|n{_A}t|when\s+(?:i|we)\s+(?:was|were)|"
    r"as\s+a\s+(?:child|kid|teenager|student)|old)\b"
)

# Slots: pattern with the group `object`, subject, relation. The first that fits counts.
_NAME: Final = r"(?P<object>(?-i:[A-Z])[\w'\u2019-]+(?:\s+(?-i:[A-Z])[\w'\u2019-]+){0,2})"
_PLACE: Final = r"(?P<object>(?-i:[A-Z])[\w'\u2019-]+(?:[\s,]+(?-i:[A-Z])[\w'\u2019-]+){0,3})"
_REST: Final = r"(?P<object>[^,.;!?]+)"
_ONE_KIN: Final = r"(?P<kin>wife|husband|partner|mother|father|mum|mom|dad|fianc[e\u00e9]+|boss|landlord|landlady|therapist|dentist|supervisor|manager)"
SLOTS: Final[tuple[tuple[re.Pattern[str], str, str], ...]] = (
    (_any(rf"\bmy\s+(?:full\s+)?name\s+is\s+{_NAME}"), "person", "name"),
    (
        _any(rf"^(?:call\s+me|i{_A}?m|i\s+am|i{_A}?m\s+called|i\s+go\s+by)\s+{_NAME}\s*[.!]?$"),
        "person",
        "name",
    ),
    (
        _any(rf"\bmy\s+{_ONE_KIN}(?:{_A}s\s+name\s+is|\s+is\s+(?:called|named))\s+{_NAME}"),
        "{kin}",
        "name",
    ),
    (
        _any(
            rf"\bmy\s+(?P<what>birthday|blood\s+type|(?:new\s+)?(?:address|phone\s+number|email|username)|job|age)\s+is\s+(?:on\s+|in\s+)?{_REST}"
        ),
        "person",
        "{what}",
    ),
    (
        _any(rf"\bmy\s+favou?rite\s+(?P<what>[\w\s-]{{2,24}}?)\s+is\s+{_REST}"),
        "person",
        "favourite {what}",
    ),
    (
        _any(
            rf"\bmy\s+(?P<what>wife|husband|mother|father|mum|mom|dad|partner){_A}s\s+birthday\s+is\s+(?:on\s+|in\s+)?{_REST}"
        ),
        "{what}",
        "birthday",
    ),
    (
        _any(rf"\b(?:i|we)\s+(?:now\s+|currently\s+)?live\s+(?:in|at|near)\s+{_PLACE}"),
        "person",
        "lives in",
    ),
    (
        _any(
            rf"\b(?:i|we)(?:{_A}ve)?\s+(?:have\s+)?(?:just\s+|recently\s+|finally\s+)?moved\s+to\s+{_PLACE}"
        ),
        "person",
        "lives in",
    ),
    (
        _any(
            rf"\bi{_A}?m\s+(?P<object>\d{{1,3}})(?:\s+years?\s+old)?(?=[\s,.!]|$)(?!\s*(?:minutes?|hours?|days?|weeks?|months?|km|kilos?|cm|%))"
        ),
        "person",
        "age",
    ),
    (_any(rf"\bi\s+(?:now\s+)?work\s+as\s+(?:an?\s+|the\s+)?{_REST}"), "person", "job"),
    (_any(rf"\bi\s+(?:now\s+)?work\s+(?:for|at)\s+(?:the\s+)?{_PLACE}"), "person", "employer"),
    (
        _any(
            rf"\bmy\s+(?P<kin>{KIN})\s+(?:is\s+(?:called|named)\s+)?{_NAME}\s+(?:is|was|has|had|lives?|moved|works?|teaches)"
        ),
        "{kin}",
        "is called",
    ),
    (_any(rf"\bi{_A}?m\s+(?:\w+\s+)?allergic\s+to\s+{_REST}"), "person", "allergic to"),
    (
        _any(rf"\bi\s+(?:really\s+)?(?P<verb>love|like|enjoy|hate|prefer)\s+{_REST}"),
        "person",
        "{verb}s",
    ),
)

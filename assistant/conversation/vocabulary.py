"""The words and patterns by which `selection` knows a lasting statement of a person. Data only.

English. Matching is by small letters unless a name is looked for, for people type "i live in Gent".
"""

import re
from types import MappingProxyType
from typing import Final

from assistant.conversation import english as e
from assistant.conversation.english import any_case

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

# ---- what stands around a statement ----

OPENING: Final = any_case(
    r"(?:(?:hi|hello|hey|hiya|yo|good\s+(?:morning|afternoon|evening))(?:\s+(?:there|again|everyone))?"
    r"\s*[,!.:-]+\s*|(?:by\s+the\s+way|btw|fyi|fun\s+fact|for\s+context|context|background|note|well|ok(?:ay)?|"
    r"oh|ah|ugh|wow|so|also|anyway|actually|honestly|sadly|luckily|two\s+things|(?:the\s+)?thing\s+is|update|(?:\w+\s+)?news|change\s+of\s+plans?|"
    r"quick\s+question|just\s+kidding|only\s+joking|kidding|(?:i\s+)?forgot(?:\s+to\s+(?:say|mention))?|(?:ok\s+)?again(?:\s+then)?|p\.?s\.?|correction|"
    r"reminder|not\s+(?:made\s+up|hypothetical),?\s+by\s+the\s+way|yes|no|yeah|nope|thanks|thank\s+you|please)\s*[,:!\u2014-]+\s*|(?:and|but|so|also|actually|honestly)"
    r"\s+(?=i\b|my\b|we\b|our\b|the\b|he\b|she\b|they\b|it\b|always\b|never\b)|(?:given\s+that|seeing\s+(?:that|as)|because|since)\s+(?=(?:i|we)\b)|"
    r"(?:it\s+)?turns\s+out\s+(?:that\s+)?|(?:scratch|forget)\s+what\s+i\s+said[^,.:]*[,.:]\s*|(?:please\s+|just\s+)*(?:remember|note|keep\s+in\s+mind|don['\u2019]?t\s+"
    r"forget|bear\s+in\s+mind|i\s+should\s+(?:mention|say|add)|you\s+should\s+know|you\s+may\s+want\s+to\s+know|be\s+aware)\s*(?:that\s+|:\s*|,\s*))"
)
CLOSING: Final = any_case(r",?\s*\b(?:please|thanks|thank\s+you|by\s+the\s+way|btw)\s*[.!]*$")
TRAILING_QUESTION: Final = any_case(
    r"\s*[,;\u2014-]+\s*(?:and\s+|so\s+|but\s+)?(?:what|which|who|how|why|where|when|can|could|should|would|"
    r"will|do|does|did|is|are|any)\b[^,;]*\?$"
)
# "Which one is quieter, given that my bedroom faces the street?": the question first, then a fact.
LEADING_QUESTION: Final = any_case(
    r"(?:what|which|who|how|why|where|when|can|could|should|would|will|do|does|did|is|are|any)\b[^,;?]*[,;\u2014-]+\s*"
    r"(?:given\s+that\s+|considering\s+(?:that\s+)?|seeing\s+(?:that|as)\s+|since\s+|because\s+|as\s+|when\s+|now\s+that\s+)?"
    rf"(?=(?:my|our)\s+\w+\s+\w+|(?:i|we){_A}(?:m|re|ve)\b|(?:i|we)\s+(?:am|are|have|live|work)\b)|"
    r"(?:can|could|would|will)\s+you\s+(?:please\s+)?(?:remember|note|keep\s+in\s+mind)\s+(?:that\s+)?"
)

# The end of a sentence that states something and then asks for something.
TRAILING_REQUEST: Final = any_case(
    r"\s*[,;]\s*(?:so\s+|and\s+)(?:please\s+)?(?:give|go|be|explain|show|help|tell|make|write|suggest|recommend|keep|build)\b[^,;]*$"
)
BULLET: Final = re.compile(r"(?:[-*\u2022\u2013]|\d{1,2}[.)])\s+")
# The heading of a list the person gives of themselves.
PROFILE: Final = re.compile(
    r"^[^\n]{0,30}\b(?:about\s+(?:me|us|myself)|who\s+(?:i\s+am|we\s+are)|my\s+(?:own\s+)?(?:profile|details|background|data|bio|situation)|"
    r"(?:things|facts)\s+(?:about\s+me|to\s+(?:know|remember|keep)))\b[^\n]*:\s*$",
    re.IGNORECASE | re.MULTILINE,
)
# A wish for every answer to come: it reads like a request and is a preference.
STANDING: Final = any_case(
    rf"^(?:please[\s,]+|and\s+|also\s+|but\s+)*(?:always|never)\s+(?!mind\b|been\b|\w+ed\b)(?!(?:{e.PAST_FORMS})\b)[a-z]+|\b(?:from\s+now\s+on|in\s+(?:the\s+)?future|"
    r"every\s+time\s+i\s+(?:ask|write))\b|\bcall\s+me\s+(?-i:[A-Z])|^(?:[\w\s]+:\s*)?no\s+\w+(?:\s+\w+)?\s+for\s+(?:me|us)\b"
)

# ---- what speaks for keeping a sentence ----

CONDITION: Final = any_case(
    r"\b(?:allerg\w+|asthma\w*|diabet\w+|epilep\w+|dyslexi\w+|autis\w+|adhd|migraines?|coeliac|celiac|intoleran\w+|hernia\w*|"
    r"cancer|stammer|stutter|deaf\w*|blind\w*|depression|anxiety|insomnia|pregnan\w+|wheelchair|pacemaker|implant|"
    r"fracture[ds]?|torn|\w{3,}(?:itis|osis|aemia|emia|opathy|algia|ectomy|plegia))\b|\b\d+(?:[.,]\d+)?\s?(?:mg|mcg|\u00b5g|puffs?)\b"
)
# Evidence that counts only where a sentence has no verb of its own: "Penicillin allergy.", "Two kids, no car."
NAMES_SOMEBODY: Final = ("relation", "the kin", "kin as a name")
OF_A_DAY: Final = frozenset({"passing time", "passing"})
OF_SHORT_FRAGMENTS: Final = frozenset(
    {"no noun", "counted", "listed", "stands in", "complement", "here", "kin alone"}
)
DETERMINED: Final = any_case(r"(?:my|our|the|this|that|these|those|his|her|their|its|your)\b")
OF_FRAGMENTS: Final = OF_SHORT_FRAGMENTS | {"condition", "household", "span of days"}
FINITE: Final = any_case(
    r"\b(?:i|we|you|he|she|it|they|who|which|is|are|was|were|am|be|has|have|had|do|does|did|can|will|would|should|could|may|"
    rf"might|must|means?|causes?|helps?|makes?|need|needs)\b|n{_A}t\b|{_A}(?:s|re|m|ve|ll)\s"
)
_MONTH: Final = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_HAVE: Final = (
    rf"(?:have|had|{_A}ve|{_A}ve\s+got|have\s+got|own|bought|got|keep|adopted|inherited|rent)"
)
_STATES: Final = (
    "live|lived|work|worked|study|studied|teach|taught|train|play|played|speak|drive|ride|run|own|"
    "grew|was born|were born|come from|belong|volunteer|commute|sing|paint|write|bake|cook|farm|"
    "rent|share|suffer|carry|wear|weigh|take|pay|earn|use|spend|go to|attend|help out|coach|lead|manage|"
    "founded|started|raised|served|retired|specialise|specialize|collect|listen to|watch|sell|design|build|repair|breed|grow|commute|practise|practice|swim|cycle|"
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
        "preference": any_case(
            rf"(?:{_I}\s+|^){_ADVERBS}(?:can{_A}?t|cannot|couldn{_A}?t)\s+(?:stand|bear|eat|drink|tolerate)\b|"
            rf"{_I}\s+{_ADVERBS}(?:like|love|adore|enjoy|hate|loathe|detest|dislike|prefer|favou?r|fear|avoid|"
            rf"would\s+rather|rather|(?:don{_A}?t|never|do\s+not)\s+(?:eat|drink|smoke|watch|read|listen|wear|use|"
            r"travel|fly|drive|like|care\s+for|want)|collect|always|usually|swear\s+by)\b|"
            rf"\b(?:i|we)\s+could\s+never\b|\bi{_A}d\s+rather\b|\bmy\s+(?:all-time\s+)?(?:favou?rite|preferred|least\s+favou?rite|dream)\b|\b(?:i{_A}?m|i\s+am|we{_A}re)\s+"
            r"(?:\w+\s+)?(?:(?:a\s+)?(?:vegan|vegetarian|pescatarian|teetotal\w*|morning\s+person|night\s+owl|fan\s+of|"
            r"big\s+fan)|afraid\s+of|scared\s+of|terrified\s+of|keen\s+on|fond\s+of|into|crazy\s+about|obsessed\s+with|"
            r"used\s+to\s+\w+ing)\b|\b(?:gone|go|went)\s+(?:vegan|vegetarian)\b|\bthese\s+days\s+i\b"
        ),
        "plan": any_case(
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
        "event": any_case(
            rf"(?:{_I}|\b(?:my|our|his|her)\s+[\w\s{_A[1:-1]},-]{{1,40}}?|\b(?:he|she|they|grandma|grandpa|mum|mom|dad)\b"
            rf"[\w\s]{{0,20}}?)\s*{_ADVERBS}\b(?:{_EVENTS})\b"
        ),
        "relation": any_case(rf"\b(?:my|our)\s+(?:\w+\s+){{0,2}}?{KIN}\b"),
        "kin as a name": re.compile(
            r"\b(?:Mum|Mom|Dad|Grandma|Grandpa|Granddad|Grandad|Gran|Granny|Nan|Aunt|Uncle|Auntie)\b"
        ),
        "state": any_case(rf"{_I}\s+{_ADVERBS}(?:{_STATES})\b"),
        "have": any_case(rf"\b(?:i|we)\s*{_ADVERBS}{_HAVE}\s+(?!to\b|no\s+idea)"),
        "am": any_case(
            rf"\b(?:i{_A}?m|i\s+am|we{_A}re|we\s+are|i{_A}ve\s+been|i\s+have\s+been|we{_A}ve\s+been|i\s+was|i\s+used\s+to\s+be)\s+"
            r"(?:\w+ly\s+|now\s+|still\s+|originally\s+|also\s+|very\s+much\s+|quite\s+|rather\s+)*(?:an?\b|the\b|(?:more|something)\s+of\s+an?\b|from\b|\d|back\s+(?:on|to|at)|in\s+my|born|allergic|intolerant|diabetic|"
            r"married|single|divorced|widowed|engaged|pregnant|retired|unemployed|self-employed|\w+-handed|deaf|"
            r"blind|colou?r-?blind|dyslexic|autistic|vegan|vegetarian|together|based|learning|studying|working|"
            r"living|training|writing|raising|renovating|remodell?ing|restoring|saving|recovering|rehearsing|fostering|"
            r"doing\s+(?:an?|my)\s+(?:\w+\s+)?(?:master\S*|degree|phd|doctorate|course|bachelor\S*|apprenticeship|internship)|"
            r"taking\s+(?:\w+\s+){0,3}(?:class|classes|lessons|course|courses|leave)|caring\s+for|looking\s+after|volunteering|teaching|running|building|\w+\s+intolerant|called|named|"
            r"diagnosed|taller|afraid|jewish|muslim|catholic|\w+ian\b|\w+ish\b)"
        ),
        "mine": any_case(
            rf"\b(?:my|our)\s+(?:[\w{_A[1:-1]}-]+\s+){{1,4}}?(?:(?:is|are|was|were|has|have|had|does|do)(?:n{_A}?t)?|means?|costs?|lives?|works?|"
            rf"called|named|died|needs?|got|gets?|runs?|takes?|comes?|goes|teaches|plays)\b|\b(?:my|our)\s+\w+{_A}s\s+\w+|"
            rf"\b(?:it{_A}?s|is|was)\s+(?:my|our)\s+(?!turn|fault|mistake|bad)\w+"
        ),
        "elliptic": any_case(
            r"^(?:(?:currently|now|just|recently|originally|still|also|been)\s+)*(?:from|born|raised|working\s+(?:as|at|for)|"
            r"living\s+in|moved\s+to|married|divorced|retired|allergic\s+to|intolerant|self-employed|(?:mother|father|"
            r"mum|mom|dad|parent)\s+of|got\s+(?:married|engaged|promoted|hired|fired|a\s+(?:new\s+)?(?:job|dog|cat|puppy|kitten|car|house)))\b"
        ),
        "introduction": re.compile(
            r"^(?:[Ii]|[Ii]['\u2019]m|[Cc]all me|(?:[Ii] am))\s+(?:am\s+)?(?!I\b)[A-Z][\w-]+(?:\s+[A-Z][\w-]+)?\s*[.!,]?$"
        ),
        "ability": any_case(
            rf"{_I}\s+{_ADVERBS}(?:can|can{_A}?t|cannot|learned\s+to|know\s+how\s+to)\s+(?:\w+\s+)?(?:swim|cook|drive|ski|"
            r"dance|sing|read|write|see|hear|walk|lift|bend|climb|kneel|carry|smell|ride|type|speak|sleep|eat|drink|knit|sew|draw|sail)\b"
        ),
        "name is": any_case(
            rf"\b(?:the|my|our)\s+(?:\w+\s+)?\w+{_A}s?\s+name\s+is\b|^(?:please\s+)?call\s+me\s+\w+\W*$"
        ),
        "harm": any_case(
            r"\b(?:gives?|makes?|upsets?|triggers?|hurts?)\s+(?:me|my)\b.*\b(?:sick|ill|headaches?|migraines?|stomach|skin|"
            r"sleepy|anxious|nauseous|dizzy|allergy|asthma|back|knees?)\b"
        ),
        "of us": any_case(
            r"\b(?:both|neither|none|all|most|one|two|three|four)\s+of\s+(?:us|my|our)\b|\bboth\s+my\b"
        ),
        "the kin": any_case(rf"\bthe\s+(?:{KIN})\s+(?:is|are|was|were|has|have|had)\b"),
        "the kin is": any_case(
            rf"\bthe\s+(?:{KIN})\s+(?:is|are)\s+(?:not\s+)?(?:an?|called|named|from)\b"
        ),
        "will": any_case(
            rf"\b(?:i|we)(?:{_A}ll|\s+will)\s+(?!try|check|see|let|use|look|do\s+(?:it|that)|tell|show|ask)\w+"
        ),
        "diagnosis": any_case(
            rf"\b(?:doctor|gp|dentist|therapist|specialist|midwife|cardiologist|dr)\b.*\b(?:i\s+have|i{_A}?m|i\s+am|i{_A}ve)\b"
        ),
        "standing": STANDING,
        "past habit": any_case(rf"{_I}\s+used\s+to\s+(?!think|believe|get\b|be\s+able|know)\w+"),
        "condition": CONDITION,
        "household": any_case(
            r"^(?:an?\s+)?(?:(?:small|big|old|tiny|rented|shared)\s+)?(?:[\w-]+\s+)?(?:flat|apartment|house|bungalow|farm|studio|caravan|allotment|family)\b.*,"
        ),
        "span of days": any_case(
            rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s*(?:to|-|\u2013|until|till)\s*(?:the\s+)?\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\b"
        ),
        "no subject": any_case(
            r"^(?:(?:i|we)\s+)?(?:never|not|always|still|already)\s+(?:been|had|\w+ed)\b|^(?:(?:just|finally|recently)\s+)?(?:started|stopped|quit|moved|bought|sold|"
            r"lost|got|met|booked|passed|failed|retired|adopted)\s+(?:an?|the|my|our|to|in|on|from|\w+ing)\b"
        ),
        "ours, apart": any_case(
            r"^(?:my|our)\s+[\w\s'\u2019-]{2,40},[^,]{2,80},\s*(?:\w+s|have|are|were|had|did)\b"
        ),
        "happening": any_case(
            r"\b(?:comes?|arrives?|starts?|begins?|ends?|ended|opens?|closes?|takes?\s+place|happens?)\b.{0,20}\b(?:on|in|at|by|after|before)\b"
        ),
        "body": any_case(
            r"\bmy\s+(?:(?:left|right|bad|lower|upper)\s+)?(?:arm|leg|knee|back|shoulder|hip|hand|eye|ear|heart|foot|ankle|wrist|neck|skin)s?\b"
        ),
        "their state": any_case(
            rf"^(?:he|she|they)(?:{_A}(?:s|re)\s+(?:an?|the|my|our|\d|in|at|from|\w+ing)\b|\s+(?:\w+ly\s+|also\s+|still\s+|both\s+)?(?:lives?|works?|studies|study|owns?|"
            r"loves?|hates?|likes?|speaks?|teaches|teach|plays?|needs?|uses?|sleeps?|stays?|wants?|has|have|was\s+born|is\s+\d|moved|retired|died)\b)"
        ),
        "as one": any_case(r"^as\s+(?:an?|the|someone|somebody)\s+[^,]+$"),
        "life": any_case(
            r"\b(?:married|divorced|separated|engaged|wedding|funeral|graduated|degree|thesis|exam|driving\s+test|promoted|hired|fired|laid\s+off|"
            r"resigned|retired|notice|jobs?|diagnos\w+|pregnant|born|birth|baby|died|passed\s+away|surgery|operation|operate|stroke|accident|"
            r"hospital|fracture\w*|broke\s+(?:up|my|his|her|a|an)|moved|moving|house|flat|keys|adopted|quit|won|visa|citizen\w*|injur\w+|"
            r"tooth|stitches|cancer)\b"
        ),
        "passing time": any_case(
            r"\b(?:today|tonight|tomorrow|this\s+(?:morning|afternoon|evening)|last\s+night|right\s+now|at\s+the\s+moment|just\s+now|for\s+now|"
            r"all\s+(?:morning|afternoon|day|night)|(?:in|for)\s+(?:\w+|\d+)\s+(?:minutes?|mins?|hours?)(?!\s+(?:a|each|every|per)\b)|"
            r"(?:minutes?|hours?)\s+(?:late|ago|early|to\s+\w+)|for\s+(?:lunch|dinner|breakfast|tea))\b"
        ),
        "passing": any_case(
            r"\b(?:again|at\s+last|wrong|by\s+mistake|can['\u2019]?t\s+be\s+bothered|made\s+your)\b"
        ),
        "passing thing": any_case(
            rf"\bmy\s+(?:\w+\s+)?(?:bus|train|tram|printer|laptop|screen|phone|router|computer|wi-?fi|internet|mouse|keyboard|browser|app|"
            rf"tea|coffee|machine|slides|headphones|charger|battery|monitor|tv|oven|boiler)s?\s+(?!(?:is|was)\s+(?:an?|the|from|\d)\b)(?:is|are|was|were|"
            rf"has|have|goes|went|keeps?|won{_A}?t|died|stopped|leaves?|still|just|broke|froze|freezes|crashed|crashes)\b|"
            r"\bmy\s+(?:\w+\s+)?(?:head|nose|throat|stomach|feet|eyes?|ears?|legs?|arms?|hair|tummy)\s+(?:hurts?|aches?|itch\w*|runs?|is|are|feels?)\b"
        ),
        "duration": e.DURATION,
        "habit": e.HABIT,
        "habit of one thing": e.HABIT_OF_ONE_THING,
        "being": e.BEING,
        "of any of us": e.OF_US,
        "takes me": e.TAKES_ME,
        "generic for me": e.GENERIC_FOR_ME,
        "my one": e.MY_ONE,
        "each time": e.EACH_TIME,
        "there is mine": e.THERE_IS_MINE,
        "mine does": e.MINE_DOES,
        "perfect": e.PERFECT,
        "kin does": any_case(
            rf"\b(?:my|our)\s+(?:\w+\s+)?{KIN}(?:\s+(?-i:[A-Z])\w+)?\s+(?:\w+ly\s+|also\s+|still\s+|never\s+|always\s+)?"
            r"(?!(?:is|was|has|does|says|thinks|wants|needs|asks|keeps)\b)[a-z]+s\s+\w"
        ),
        "in progress": any_case(rf"\b(?:my|our)\s+(?!{KIN})(?:\w+\s+)?\w+\s+(?:is|are)\s+\w+ing\b"),
        "done to me": e.DONE_TO_ME,
        "elided be": e.ELIDED_BE,
        "elided not": e.ELIDED_NOT,
        "elided state": e.ELIDED_STATE,
        "elided past": e.ELIDED_PAST,
        "no noun": e.NO_NOUN,
        "counted": e.COUNTED,
        "listed": e.LISTED,
        "stands in": e.STANDS_IN,
        "complement": e.COMPLEMENT,
        "here": e.HERE,
        "for me": e.FOR_ME,
        "kin alone": any_case(rf"^(?!my\b|our\b|the\b)(?:[\w-]+\s+){{0,2}}{KIN}\b"),
        "me": any_case(r"\b(?:me|us)\b"),
        "copula": any_case(
            rf"^(?:he|she|it|they)(?:{_A}(?:s|re)|\s+(?:is|are|was|were|has|have))\s"
        ),
        "third person": any_case(rf"^(?:he|she|they)\b(?:{_A}s)?\s+\w+"),
        "past": e.PAST,
        "name": re.compile(r"(?<=[a-z,] )(?!I\b|I['\u2019])[A-Z][\w-]+"),
        "number": re.compile(r"\b\d[\d.,]*\b"),
        "opinion": any_case(
            r"^(?:the|that|this|it|those|these|everyone|everything|nothing)\b[^,]{0,40}\s(?:is|was|are|were|looks?|"
            r"sounds?|tastes?|came\s+out)\s+(?:\w+\s+)?(?:awful|great|good|bad|nice|terrible|funny|boring|amazing|"
            r"beautiful|cheaper|better|worse|wrong|right|weird|strict|crisp|perfect)\b"
        ),
        "task": any_case(
            r"\b(?:want|need|have|going|trying|like|plan)\s+to\s+(?:\w+ly\s+)?(?:write|make|create|fix|find|print|convert|"
            r"parse|sort|use|build|install|run|get|understand|implement|add|remove|compute|calculate|compare|"
            r"check|prove|solve|show|explain|draw|plot|export|import|count|split|merge|say|express|translate)\b|"
            r"\b(?:have|had|got|['\u2019]ve)\s+(?:a|an|one|no|another|some|two)\s+(?:\w+\s+)?(?:questions?|problems?|idea|"
            r"ideas|issues?|error|bug|doubt|request|task|point|look|feeling|hunch|headache|headline|function|class|"
            r"list|string|table|file|script|loop|choice|favou?r|theory)\b|\b(?:have|had|['\u2019]ve)\s+(?:the\s+following|this|"
            r"these)\b|\b(?:dataframe|data\s?set|columns?|strings?|segfault|server|parameters?|formula|versions?|chapters?|"
            r"paragraphs?|essay|answers?|results?|unknowns|equations?|sentences?|regex|functions?|variables?|"
            r"matrix|(?:first|second|third|last|other)\s+(?:one|two)|slides?|meetings?|report|presentation|topic|thread|command|screen|spreadsheet|bullets?|bullet\s+points?|intro|headings?|examples?)\b"
        ),
        "to the assistant": any_case(r"\byou(?:rs?|rself)?\b"),
        "joke": any_case(
            r"\bi['\u2019]m\s+(?:basically|practically|virtually)\b|\b(?:haha+|lol|lmao|just\s+kidding|jk|an?\s+(?:[mbz]illion|gazillion)\s+\w+s)\b"
        ),
        "a stranger": e.A_STRANGER,
    }
)
WEIGHTS: Final = MappingProxyType(
    {
        "preference": 1.0,
        "plan": 1.0,
        "event": 1.0,
        "relation": 0.8,
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
        "the kin is": 0.3,
        "will": 0.5,
        "diagnosis": 1.0,
        "standing": 1.0,
        "past habit": 1.0,
        "condition": 1.0,
        "household": 1.0,
        "span of days": 1.0,
        "no subject": 1.0,
        "ours, apart": 1.0,
        "happening": 0.4,
        "body": 0.5,
        "their state": 0.6,
        "as one": 1.0,
        "life": 0.3,
        "passing time": -1.3,
        "passing": -1.0,
        "passing thing": -1.0,
        "duration": 0.5,
        "habit": 1.0,
        "habit of one thing": 0.6,
        "being": 0.8,
        "of any of us": 0.8,
        "takes me": 1.0,
        "generic for me": 0.8,
        "my one": 1.0,
        "each time": 0.5,
        "there is mine": 0.7,
        "mine does": 0.7,
        "perfect": 0.5,
        "kin does": 0.3,
        "in progress": -0.5,
        "done to me": 0.5,
        "elided be": 0.8,
        "elided not": 0.8,
        "elided state": 1.0,
        "elided past": 0.5,
        "no noun": 0.5,
        "counted": 0.3,
        "listed": 0.3,
        "stands in": 0.7,
        "complement": 0.5,
        "here": 0.6,
        "for me": 0.5,
        "kin alone": 0.5,
        "background": 0.3,
        "dated past": 0.2,
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
        "a stranger": -1.0,
        "relative date": 0.6,
        "date": 0.4,
    }
)
FOLLOWS_WEIGHT: Final = 0.4

DAY_AND_MONTH: Final = any_case(
    r"\b(?:in|by|before|until|since|of|on|from)\s+(?:the\s+)?(?:end\s+of\s+)?(?:january|february|march|april|june|july|"
    r"august|september|october|november|december|monday|tuesday|wednesday|thursday|friday|saturday|sunday)s?\b|"
    r"\bin\s+may\b|\bin\s+(?:the\s+)?(?:spring|summer|autumn|fall|winter)\b|\bthe\s+\d{1,2}(?:st|nd|rd|th)\b"
)
PRONOUN_START: Final = any_case(
    rf"(?!.*\b(?:he|she|they)(?:{_A}(?:s|re)|\s+(?:is|are|was))\s+(?:my|our)\s)(?!it\s+(?:always\s+|usually\s+)?(?:takes|costs)\s+(?:me|us)\b)(?!(?:it|he|she|they)(?:{_A}?(?:s|re)(?:\s+not)?|\s+(?:is|was|are|were)(?:n{_A}t|\s+not)?)\s+(?:not\s+my\s+\w+,?\s+(?:he|she|it){_A}s\s+)?(?:my|our)\b)(?:he|she|they|it|his|her|their|its)\b|(?:this|that|these|those)(?:{_A}s)?\s+(?:is|was|are|were|one)\s+(?!my\b|our\b)"
)
SELF_START: Final = any_case(rf"(?:i{_A}m|we{_A}re)\s+\S+")
PAST_STATE: Final = any_case(
    rf"\b(?:used\s+to|once|former(?:ly)?|previous(?:ly)?|no\s+longer|not|n{_A}t|when\s+(?:i|we)\s+(?:was|were)|"
    r"as\s+a\s+(?:child|kid|teenager|student)|old)\b"
)
# "My name isn't Lara, it's Lora" is "My name is Lora"; "It's Lora, not Lara" is "It's Lora".
CORRECTED: Final = any_case(
    rf"\b(?:is\s+not|isn{_A}?t)\s+[^,.;]+[,;]?\s+(?:it{_A}?s|it\s+is|but(?:\s+it{_A}?s)?)\s+"
)
NOT_THAT: Final = any_case(r",\s*(?:and\s+)?not\s+[^,.;]+(?=[.!]*$)")
CLAUSE_END: Final = any_case(r"[,;]\s+(?:and\s+|but\s+)?|\s+(?:and|but)\s+(?=(?:i|we|my)\b)")

"""What is selected as a thought, and what never is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.conversation.selection import find_slot, read_sentences, select_thoughts
from assistant.memory.dates import resolve_dates
from assistant.memory.relating import ungrounded_words
from strategies import prose

NOW = datetime(2024, 5, 2, 9, 0, tzinfo=UTC)


def select(text: str) -> list[str]:
    return [chosen.text for chosen in select_thoughts(text, NOW)]


@pytest.mark.parametrize(
    ("text", "thoughts"),
    [
        ("Hello! I have two cats. How are you?", ["I have two cats."]),
        ("i work at the docks on mondays", ["i work at the docks on mondays"]),
        ("Remember that my blood type is B, please.", ["my blood type is B"]),
        ("I can't stand olives, so what should I cook?", ["I can't stand olives"]),
        ("I start a new job next month.", ["I start a new job in June 2024."]),
        ("The shop was closed. She's 81.", []),  # nobody to say who "she" is
        (
            "My mother moved in with us. Any tips? She's 81.",
            ["My mother moved in with us. She's 81."],
        ),
        ("Just moved to Graz.", ["Just moved to Graz."]),
        ("Dr. Roy is my dentist.", ["Dr. Roy is my dentist."]),
        ("I'm deaf.", ["I'm deaf."]),
        ("> Where do you live?\nI live in Rome.", ["I live in Rome."]),
        ("Please call me Jo.", ["Please call me Jo."]),
        ("Neither of us drinks alcohol.", ["Neither of us drinks alcohol."]),
        ("About me:\n- welder\n- no kids\nWhat now?", ["welder", "no kids"]),
        ("Please never answer in rhyme.", ["Please never answer in rhyme."]),
        ("Forgot to say: nut allergy.", ["nut allergy."]),
        ("Given that I'm colour-blind, which map?", ["I'm colour-blind"]),
        (
            "My aunt is here. Help? She's 70, deaf and rude.",
            ["My aunt is here. She's 70, deaf and rude."],
        ),
        ("I'm a sailor. Just kidding, I sell carpets.", ["I sell carpets."]),
        ("Allergic to peanuts, by the way.", ["Allergic to peanuts"]),
        ("Been vegan since 2012.", ["Been vegan since 2012."]),
        ("Live on a boat. Which heater?", ["Live on a boat."]),
        ("Third floor, no lift. Which sofa fits?", ["Third floor, no lift."]),
        ("Crowds make me panic.", ["Crowds make me panic."]),
        ("We foster greyhounds.", ["We foster greyhounds."]),
        ("My wife and I both work nights.", ["My wife and I both work nights."]),
        ("Neither my wife nor I drive.", ["Neither my wife nor I drive."]),
        ("My name isn't Lara, it's Lora.", ["My name isn't Lara, it's Lora."]),
        ("None of us can swim.", ["None of us can swim."]),
        ("ive got psoriasis on my elbows. cream?", ["ive got psoriasis on my elbows."]),
        (
            "I've lived in Rome for years and I'm thinking of leaving.",
            ["I've lived in Rome for years"],
        ),
        ("Which map, given that I'm colour-blind?", ["I'm colour-blind"]),
        ("Could you remember that I'm left-handed?", ["I'm left-handed"]),
        (
            "About me:\n1. night nurse, 40\n2. two old rabbits",
            ["night nurse, 40", "two old rabbits"],
        ),
        (
            "I was born in Kyoto. \u79c1\u306e\u540d\u524d\u306f\u5065\u3067\u3059\u3002",
            ["I was born in Kyoto."],
        ),
        (
            "He died this morning. My dad died this morning.",
            ["My dad died the morning of 2 May 2024."],
        ),
    ],
)
def test_lasting_statements_are_selected(text: str, thoughts: list[str]) -> None:
    assert select(text) == thoughts


@pytest.mark.parametrize(
    "text",
    [
        "How do I bake bread?",
        "Write me a poem about my cat.",
        "Could you tell me what I should wear?",
        "If I had a dog I would call it Rex.",
        "Suppose my salary is 3000.",
        "I wish I lived in Rome.",
        "Maybe I should move to Rome.",
        'He wrote: "I have lived in Rome since 1990."',
        "Translate this: I have two brothers and I live in Rome.",
        "Summarise this email for me:\nHi, I moved to Rome and my dog is called Rex.",
        "```\nmy_name = 'I am Bob and I live in Oslo'\n```",
        "> I live in Rome with my dog.",
        "Pretend you are a pirate. I live in Rome.",
        "In my novel I have a detective. He lives in Rome.",
        "You said that I live in Rome.",
        "I'm so tired today.",
        "Thanks, that was great!",
        "I don't understand the second step.",
        "My code has a bug in line 4.",
        "I want you to list ten names.",
        "I need to sort a list of numbers.",
        "She lives in Rome.",
        "My friend wrote: I live in Rome and have two dogs.",
        "Here's my cover letter: I am a nurse with ten years of experience.",
        "Example: I have three cats.",
        "Dear Ms Roy,\nI have worked as a welder since 1999.\nSincerely, B.",
        "Subject: move\nWe moved to Rome in May.",
        "For this exercise I am the teacher. I live in Rome.",
        "Q: Where do I live?\nA: I live in Rome.",
        "system: I live in Rome",
        "I have 24 sweets and share them equally. How many are left?",
        "I roll two dice. What is the probability of nine?",
        "Tighten this:\nI run my own salon in Rome.",
        "How is this as an opening line? I married for money in Rome.",
        "She texted me: I moved to Rome and I have a dog.",
        "Say in Spanish: my name is Paul and my wife is outside.",
        "I dreamt that I was a postman in Rome.",
        "Oh sure, I just love being woken at four.",
        "My client wants to sell her house in Rome.",
        "My bus was late this morning.",
        "I had pasta for lunch.",
        "My printer is jammed.",
        "2025-01-02 10:00 ERROR my connection is lost",
        "Same error as before.",
        "best pizza dough for a home oven",
        "Can't open the file. Encoding?",
        "Never heard of it.",
        "Two things. First, the intro drags.",
        "We all make mistakes.",
        "As humans we need sleep.",
        "My neighbour told me he sold his house for two million.",
        "The recruiter thinks I speak Polish.",
        "A colleague moved to Malta last year.",
        "Yeah, because I'm a millionaire.",
        "You play a waiter and I'm a guest with a nut allergy.",
        "Make this sound less angry. I have been a customer since 2014.",
        "I lived in Rome and I have two cats. Is it funny?",
        "I drive 300 km at 90 km/h and stop twice for an hour. How long does it take?",
        "We propose a new method for graph coloring.",
        "What tense is this: I have been working in Leeds for six years?",
        "Allergisch gegen N\u00fcsse. What should I cook?",
        "Benim ad\u0131m Ali, 30 ya\u015f\u0131nday\u0131m.",
        "Mein Bruder ist Arzt und wir wohnen in K\u00f6ln.",
        "Ik ben allergisch voor noten.",
        "Je suis m\u00e9decin et j'habite \u00e0 Lyon.",
        "Tengo dos gatos y vivo en Madrid.",
        "Jestem nauczycielem i mam dwa koty.",
        "\u6211\u6709\u4e24\u4e2a\u5b69\u5b50\uff0c\u4f4f\u5728\u4e0a\u6d77\u3002",
        "",
        "   \n\n ",
    ],
)
def test_nothing_is_selected_from_what_states_nothing_of_the_person(text: str) -> None:
    assert select(text) == []


@given(st.one_of(prose, st.text(max_size=200)))
def test_every_thought_is_grounded_in_its_message(text: str) -> None:
    for chosen in select_thoughts(text, NOW):
        pieces = [text[start:end] for start, end in chosen.pieces]
        assert all(piece.strip() for piece in pieces)
        said = "\n".join([text, *(resolve_dates(piece, NOW) for piece in pieces)])
        assert ungrounded_words(chosen.text, said) == []


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    for sentence in read_sentences(text):
        assert 0 <= sentence.start <= sentence.end <= len(text)


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("My name is Farid.", ("person", "name", "Farid")),
        ("My favourite colour is teal.", ("person", "favourite colour", "teal")),
        ("I live in Utrecht now.", ("person", "lives in", "Utrecht")),
        ("I moved to Ghent in 2020.", ("person", "lives in", "Ghent")),
        (
            "We moved to Ghent in 2020.",
            ("person", "moved to", "Ghent"),
        ),  # or to Basecamp: who knows
        ("We moved to Slack.", None),
        ("We moved to Basecamp.", ("person", "moved to", "Basecamp")),
        ("I moved to Linux.", None),
        ("I moved from Windows to Linux last year.", None),
        ("We moved our team chat to Slack.", None),
        ("We finally moved to Slack for our team chat.", None),
        ("I moved to Linux on my laptop.", None),
        ("We moved to Portugal in 2020.", ("person", "lives in", "Portugal")),
        ("My wife and I love it here, we moved to Ghent.", ("person", "lives in", "Ghent")),
        ("We moved to Ghent with the kids.", ("person", "lives in", "Ghent")),
        ("I'm 43.", ("person", "age", "43")),
        ("My wife's name is Hanneke.", ("wife", "name", "Hanneke")),
        ("I used to live in Rome.", None),
        ("I'm based in Kyoto now.", ("person", "lives in", "Kyoto")),
        ("We have moved back to Graz.", ("person", "lives in", "Graz")),
        ("My new address is 5 High St.", ("person", "address", "5 High St")),
        ("I moved from Rome to Oslo last month.", ("person", "lives in", "Oslo")),
        ("I'm Irish.", None),
        ("Call me Jo.", ("person", "goes by", "Jo")),
        ("I'm 90 percent sure of it.", None),
        ("My name isn't Lara, it's Lora.", ("person", "name", "Lora")),
        ("My name is Lora, not Lara.", ("person", "name", "Lora")),
        ("I no longer live in Rome, I live in Oslo.", ("person", "lives in", "Oslo")),
        ("When I was a child we lived in Kenya.", None),
        ("I run every day.", None),
    ],
)
def test_a_slot_is_filled_only_by_a_clear_pattern(
    text: str, slot: tuple[str, str, str] | None
) -> None:
    assert find_slot(text) == slot


def test_two_statements_of_one_sentence_are_two_thoughts_where_one_can_be_replaced() -> None:
    both = select_thoughts("I live in Berlin and I work as a nurse.", NOW)
    assert [(s.text, s.slot and s.slot[2]) for s in both] == [
        ("I live in Berlin", "Berlin"),
        ("I work as a nurse.", "nurse"),
    ]
    assert select("I have two cats and I love them dearly.") == [
        "I have two cats and I love them dearly."
    ]


def test_selecting_takes_about_a_millisecond() -> None:
    import timeit

    text = "My sister Anna moved to Lisbon last week and adopted a dog called Bolo. Thanks! " * 4
    seconds = min(timeit.repeat(lambda: select_thoughts(text, NOW), number=5, repeat=3)) / 5
    assert seconds < 0.05  # a bound against a regex gone wild, not a measurement

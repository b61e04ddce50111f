"""Slots: of which relations a subject has one value at a time, and which value ends another.

A rule on words: it knows the names of countries, for a place may lie in another, and no other fact of
the world. What it does not let a newer value end stays beside it, dated. Knows no row and no model.
"""

import re
from typing import Final

# Relations of which a subject has one at a time. Jobs and pets are not among them: two are common.
SINGLE_VALUED: Final = frozenset(
    (
        "name",
        "goes by",
        "age",
        "birthday",
        "blood type",
        "lives in",
        "address",
        "phone number",
        "email",
        "username",
    )
)
# What may be another value of a single-valued relation: asked about as a conflict. "We moved to Slack"
# reads as "We moved to Lisbon" does.
MAY_FILL: Final = {"moved to": "lives in"}
# Not those that are cities as well (Singapore, Luxembourg, New York): one of two cities ends the other.
_REGION_NAMES: Final = (
    "afghanistan,albania,algeria,andorra,angola,argentina,armenia,australia,austria,azerbaijan,bahamas,"
    "bahrain,bangladesh,barbados,belarus,belgium,belize,benin,bhutan,bolivia,bosnia,botswana,brazil,brunei,"
    "bulgaria,burkina faso,burundi,cambodia,cameroon,canada,cape verde,chad,chile,china,colombia,congo,"
    "costa rica,croatia,cuba,cyprus,czechia,czech republic,denmark,dominican republic,ecuador,egypt,"
    "el salvador,eritrea,estonia,eswatini,ethiopia,fiji,finland,france,gabon,gambia,georgia,germany,ghana,"
    "greece,greenland,grenada,guinea,guyana,haiti,honduras,hungary,iceland,india,indonesia,iran,iraq,ireland,"
    "israel,italy,ivory coast,jamaica,japan,jordan,kazakhstan,kenya,kosovo,kyrgyzstan,laos,latvia,lebanon,"
    "lesotho,liberia,libya,liechtenstein,lithuania,madagascar,malawi,malaysia,maldives,mali,malta,mauritania,"
    "mauritius,moldova,mongolia,montenegro,morocco,mozambique,myanmar,namibia,nepal,netherlands,holland,"
    "new zealand,nicaragua,niger,nigeria,north korea,north macedonia,norway,oman,pakistan,palestine,"
    "papua new guinea,paraguay,peru,philippines,poland,portugal,puerto rico,qatar,romania,russia,rwanda,samoa,"
    "saudi arabia,senegal,serbia,sierra leone,slovakia,slovenia,somalia,south africa,south korea,korea,"
    "south sudan,spain,sri lanka,sudan,suriname,sweden,switzerland,syria,taiwan,tajikistan,tanzania,thailand,"
    "togo,tonga,trinidad,tunisia,turkey,turkmenistan,uganda,ukraine,united arab emirates,uae,united kingdom,uk,"
    "great britain,britain,england,scotland,wales,northern ireland,united states,united states of america,usa,"
    "us,america,uruguay,uzbekistan,vanuatu,venezuela,vietnam,yemen,zambia,zimbabwe,"
    "europe,asia,africa,oceania,north america,south america,latin america,scandinavia,"
    "alabama,alaska,arizona,arkansas,california,colorado,connecticut,delaware,florida,hawaii,idaho,illinois,"
    "indiana,iowa,kansas,kentucky,louisiana,maine,maryland,massachusetts,michigan,minnesota,mississippi,"
    "missouri,montana,nebraska,nevada,new hampshire,new jersey,new mexico,north carolina,north dakota,ohio,"
    "oklahoma,oregon,pennsylvania,rhode island,south carolina,south dakota,tennessee,texas,utah,vermont,"
    "virginia,west virginia,wisconsin,wyoming,ontario,alberta,british columbia,nova scotia,queensland,"
    "new south wales,tasmania,bavaria,catalonia,andalusia,tuscany,sicily,brittany,normandy"
)
_REGIONS: Final = frozenset(_REGION_NAMES.split(","))
_CHANGE: Final = re.compile(
    r"\b(?:now|nowadays|these days|moved|moving|relocated)\b", re.IGNORECASE
)


def is_single_valued(relation: str) -> bool:
    return relation in SINGLE_VALUED or relation.startswith("favourite ")


def names_region(place: str) -> bool:
    """Whether a place is one that towns lie in: "Germany", and not "Berlin" or "Berlin, Germany"."""
    return " ".join(place.split()).partition(",")[0].casefold().removeprefix("the ") in _REGIONS


def ends(relation: str, older: str, newer: str, said: str) -> bool:
    """Whether the newer value of a relation ends the older one; `said` is the newer statement.

    Who lives in Berlin lives in Germany as well, and who "moved to France" or "now" lives there has
    left both. "Berlin" takes nothing from "Kreuzberg, Berlin".
    """
    if not is_single_valued(relation) or older.casefold() == newer.casefold():
        return False
    if relation != "lives in":
        return True
    if _parts(newer) < _parts(older):
        return False
    return names_region(older) == names_region(newer) or bool(_CHANGE.search(said))


def _parts(place: str) -> set[str]:
    return {part.strip().casefold() for part in place.split(",")}

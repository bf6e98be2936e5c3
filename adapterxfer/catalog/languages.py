"""The 50 languages of XTREME-R, those of the low-resource extensions, those of the sets in many languages, the world's.

Sources: codes from evaluate.py of google-research/xtreme; family names follow XTREME-R, genus follows WALS;
Joshi class from the lang2tax list of Joshi et al. 2020 ("ht" is ambiguous there: 2 as "haitian"); CC-100 GiB from
table 6 of Conneau et al. 2020, with the corrected value for Ukrainian, zh as the sum of simplified and traditional, my
with Zawgyi. Scripts are general knowledge. Those of the sets in many languages are in ``further_languages.csv``, with
their sources.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from importlib import resources

from adapterxfer.catalog.records import Language, Resource
from adapterxfer.world.languages import LANGUAGES as WORLD

# code | name | family | genus | script | Joshi class | CC-100 GiB
_TABLE = """
af|Afrikaans|Indo-European|Germanic|Latin|3|1.3
ar|Arabic|Afro-Asiatic|Semitic|Arabic|5|28.0
az|Azerbaijani|Turkic|Turkic|Latin|1|6.5
bg|Bulgarian|Indo-European|Slavic|Cyrillic|3|57.5
bn|Bengali|Indo-European|Indic|Bengali|3|8.4
de|German|Indo-European|Germanic|Latin|5|66.6
el|Greek|Indo-European|Greek|Greek|3|46.9
en|English|Indo-European|Germanic|Latin|5|300.8
es|Spanish|Indo-European|Romance|Latin|5|53.3
et|Estonian|Uralic|Finnic|Latin|3|6.1
eu|Basque|Basque (isolate)|Basque|Latin|4|2.0
fa|Persian|Indo-European|Iranian|Arabic|4|111.6
fi|Finnish|Uralic|Finnic|Latin|4|54.3
fr|French|Indo-European|Romance|Latin|5|56.8
gu|Gujarati|Indo-European|Indic|Gujarati|1|1.9
he|Hebrew|Afro-Asiatic|Semitic|Hebrew|3|31.6
hi|Hindi|Indo-European|Indic|Devanagari|4|20.2
ht|Haitian Creole|Creole|Creoles and Pidgins|Latin|2|0.0
hu|Hungarian|Uralic|Ugric|Latin|4|58.4
id|Indonesian|Austronesian|Malayo-Sumbawan|Latin|3|148.3
it|Italian|Indo-European|Romance|Latin|4|30.2
ja|Japanese|Japonic|Japanese|Japanese|5|69.3
jv|Javanese|Austronesian|Javanese|Latin|1|0.2
ka|Georgian|Kartvelian|Kartvelian|Georgian|3|9.1
kk|Kazakh|Turkic|Turkic|Cyrillic|3|6.4
ko|Korean|Korean (isolate)|Korean|Hangul|4|54.2
lt|Lithuanian|Indo-European|Baltic|Latin|3|13.7
ml|Malayalam|Dravidian|Dravidian|Malayalam|1|7.6
mr|Marathi|Indo-European|Indic|Devanagari|2|2.8
ms|Malay|Austronesian|Malayo-Sumbawan|Latin|3|8.5
my|Burmese|Sino-Tibetan|Burmese-Lolo|Myanmar|1|2.0
nl|Dutch|Indo-European|Germanic|Latin|4|29.3
pa|Punjabi|Indo-European|Indic|Gurmukhi|2|0.8
pl|Polish|Indo-European|Slavic|Latin|4|44.6
pt|Portuguese|Indo-European|Romance|Latin|4|49.1
qu|Quechua|Quechuan|Quechuan|Latin|1|0.0
ro|Romanian|Indo-European|Romance|Latin|3|61.4
ru|Russian|Indo-European|Slavic|Cyrillic|4|278.0
sw|Swahili|Niger-Congo|Bantu|Latin|2|1.6
ta|Tamil|Dravidian|Dravidian|Tamil|3|12.2
te|Telugu|Dravidian|Dravidian|Telugu|1|4.7
th|Thai|Kra-Dai|Kam-Tai|Thai|3|71.7
tl|Tagalog|Austronesian|Greater Central Philippine|Latin|3|3.1
tr|Turkish|Turkic|Turkic|Latin|4|20.9
uk|Ukrainian|Indo-European|Slavic|Cyrillic|3|84.6
ur|Urdu|Indo-European|Indic|Arabic|3|5.7
vi|Vietnamese|Austro-Asiatic|Vietic|Latin|4|137.3
wo|Wolof|Niger-Congo|Wolof|Latin|2|0.0
yo|Yoruba|Niger-Congo|Defoid|Latin|2|0.0
zh|Chinese (Mandarin)|Sino-Tibetan|Chinese|Han|5|63.5
"""

# Languages of the extensions: code as data sets write it | name | family | genus | script | Joshi class | CC-100 GiB.
# Classes are empty where the list of Joshi et al. was not seen to name the language, or names another variety of it
# (Quechua). All of them count as low-resource: that is what the extensions test.
_EXTENSIONS = """
bam|Bambara|Niger-Congo|Mande|Latin|1|0.0
bbj|Ghomala|Niger-Congo|Bantoid|Latin||0.0
ewe|Ewe|Niger-Congo|Kwa|Latin|1|0.0
fon|Fon|Niger-Congo|Kwa|Latin|0|0.0
hau|Hausa|Afro-Asiatic|Chadic|Latin|2|0.3
ibo|Igbo|Niger-Congo|Igboid|Latin|1|0.0
kin|Kinyarwanda|Niger-Congo|Bantu|Latin|1|0.0
lug|Luganda|Niger-Congo|Bantu|Latin|1|0.0
luo|Luo|Nilo-Saharan|Nilotic|Latin|0|0.0
mos|Mossi|Niger-Congo|Gur|Latin|0|0.0
nya|Chichewa|Niger-Congo|Bantu|Latin|1|0.0
pcm|Nigerian Pidgin|Creole|Creoles and Pidgins|Latin||0.0
sna|Shona|Niger-Congo|Bantu|Latin|1|0.0
swa|Swahili (MasakhaNER)|Niger-Congo|Bantu|Latin||
tsn|Setswana|Niger-Congo|Bantu|Latin|2|0.0
twi|Twi|Niger-Congo|Kwa|Latin|1|0.0
wol|Wolof (MasakhaNER)|Niger-Congo|Wolof|Latin||
xho|Xhosa|Niger-Congo|Bantu|Latin|2|0.1
yor|Yoruba (MasakhaNER)|Niger-Congo|Defoid|Latin||
zul|Zulu|Niger-Congo|Bantu|Latin|2|0.0
aym|Aymara|Aymaran|Aymaran|Latin|1|0.0
bzd|Bribri|Chibchan|Talamanca|Latin||0.0
cni|Ashaninka|Arawakan|Campa|Latin||0.0
gn|Guarani|Tupian|Tupi-Guarani|Latin|1|0.0
hch|Wixarika|Uto-Aztecan|Corachol|Latin||0.0
nah|Nahuatl|Uto-Aztecan|Aztecan|Latin|1|0.0
oto|Otomi|Oto-Manguean|Otomian|Latin||0.0
quy|Ayacucho Quechua|Quechuan|Quechuan|Latin||0.0
shp|Shipibo-Konibo|Pano-Tacanan|Panoan|Latin||0.0
tar|Raramuri|Uto-Aztecan|Tarahumaran|Latin||0.0
"""

_SAME = {"swa": "sw", "wol": "wo", "yor": "yo"}
"""Extensions that test a language of XTREME-R under another code: class and size are those."""

_ORDER_NAMES = {"SVO": "subject-verb-object", "SOV": "subject-object-verb", "VSO": "verb-subject-object"}


def resource_of(joshi_class: int | None) -> Resource:
    """Resource tier by Joshi class: 0 to 2 low, 3 mid, 4 and 5 high; unknown where no class is known."""
    if joshi_class is None:
        return "unknown"
    return "low" if joshi_class <= 2 else "mid" if joshi_class == 3 else "high"


@cache
def languages() -> dict[str, Language]:
    """The real languages by code."""
    table = {}
    for line in _TABLE.strip().splitlines():
        code, name, family, genus, script, joshi, gib = (cell.strip() for cell in line.split("|"))
        table[code] = Language(
            code=code,
            name=name,
            family=family,
            genus=genus,
            script=script,
            joshi_class=int(joshi),
            cc100_gib=float(gib),
            resource=resource_of(int(joshi)),
        )
    return table


@cache
def extension_languages() -> dict[str, Language]:
    """Languages that only the low-resource extensions test, by code."""
    table = {}
    for line in _EXTENSIONS.strip().splitlines():
        code, name, family, genus, script, listed, size = (cell.strip() for cell in line.split("|"))
        same = languages().get(_SAME.get(code, ""))
        joshi = same.joshi_class if same else int(listed) if listed else None
        gib = same.cc100_gib if same else float(size)
        table[code] = Language(
            code=code,
            name=name,
            family=family,
            genus=genus,
            script=script,
            joshi_class=joshi,
            cc100_gib=gib,
            resource="low",
        )
    return table


def one_language(code: str) -> str:
    """The code under which rows of one language count once: of a second script, and of the extensions' own codes."""
    return _SAME.get(code, code).partition("-")[0]


def table_rows(name: str) -> Iterator[dict[str, str]]:
    """Rows of a table of this folder; lines with ``#`` are notes about its sources."""
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    yield from csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))


@cache
def further_rows() -> tuple[dict[str, str], ...]:
    """Rows of ``further_languages.csv``."""
    return tuple(table_rows("further_languages.csv"))


@cache
def further_languages() -> dict[str, Language]:
    """Languages that only the sets in many languages test, by code; a second script of a language has a row too."""
    table = {}
    for row in further_rows():
        joshi = int(row["joshi"]) if row["joshi"] else None
        table[row["code"]] = Language(
            code=row["code"],
            name=row["name"],
            family=row["family"],
            genus=row["genus"],
            script=row["script"],
            joshi_class=joshi,
            cc100_gib=float(row["cc100_gib"]) if row["cc100_gib"] else None,
            resource=resource_of(joshi),
        )
    return table


@cache
def known_languages() -> dict[str, Language]:
    """All real languages: the 50 of XTREME-R, those of the extensions, then those of the sets in many languages."""
    return languages() | extension_languages() | further_languages()


@cache
def world_languages() -> dict[str, Language]:
    """The synthetic languages by code; ``en`` is the world's English, not the real one."""
    return {
        code: Language(
            code=code,
            name=language.name,
            family=language.family,
            genus=_ORDER_NAMES[language.order],
            script="Latin",
            joshi_class=None,
            cc100_gib=None,
            resource=language.tier,
            synthetic=True,
        )
        for code, language in WORLD.items()
    }

"""The 50 languages of XTREME-R, and those of the world.

Sources: code and tasks from evaluate.py of google-research/xtreme; family names follow XTREME-R, genus follows WALS;
Joshi class from the lang2tax list of Joshi et al. 2020 ("ht" is ambiguous there: 2 as "haitian"); CC-100 GiB from
table 6 of Conneau et al. 2020, with the corrected value for Ukrainian, zh as the sum of simplified and traditional, my
with Zawgyi. Scripts are general knowledge.
"""

from __future__ import annotations

from functools import cache

from adapterxfer.catalog.records import Language, Resource
from adapterxfer.world.languages import LANGUAGES as WORLD
from adapterxfer.world.task_list import TASKS as WORLD_TASKS

# code | name | family | genus | script | Joshi class | CC-100 GiB | target tasks
_TABLE = """
af|Afrikaans|Indo-European|Germanic|Latin|3|1.3|udpos panx tatoeba
ar|Arabic|Afro-Asiatic|Semitic|Arabic|5|28.0|xnli udpos panx xquad mlqa tydiqa tatoeba mewslix lareqa
az|Azerbaijani|Turkic|Turkic|Latin|1|6.5|panx tatoeba
bg|Bulgarian|Indo-European|Slavic|Cyrillic|3|57.5|xnli udpos panx tatoeba
bn|Bengali|Indo-European|Indic|Bengali|3|8.4|panx tydiqa tatoeba
de|German|Indo-European|Germanic|Latin|5|66.6|xnli udpos panx xquad mlqa tatoeba mewslix lareqa pawsx bucc2018
el|Greek|Indo-European|Greek|Greek|3|46.9|xnli udpos panx xquad tatoeba lareqa
en|English|Indo-European|Germanic|Latin|5|300.8|xnli udpos panx xquad mlqa tydiqa mewslix lareqa pawsx
es|Spanish|Indo-European|Romance|Latin|5|53.3|xnli udpos panx xquad mlqa tatoeba mewslix lareqa pawsx
et|Estonian|Uralic|Finnic|Latin|3|6.1|xcopa udpos panx tatoeba
eu|Basque|Basque (isolate)|Basque|Latin|4|2.0|udpos panx tatoeba
fa|Persian|Indo-European|Iranian|Arabic|4|111.6|udpos panx tatoeba mewslix
fi|Finnish|Uralic|Finnic|Latin|4|54.3|udpos panx tydiqa tatoeba
fr|French|Indo-European|Romance|Latin|5|56.8|xnli udpos panx tatoeba pawsx bucc2018
gu|Gujarati|Indo-European|Indic|Gujarati|1|1.9|panx
he|Hebrew|Afro-Asiatic|Semitic|Hebrew|3|31.6|udpos panx tatoeba
hi|Hindi|Indo-European|Indic|Devanagari|4|20.2|xnli udpos panx xquad mlqa tatoeba lareqa
ht|Haitian Creole|Creole|Creoles and Pidgins|Latin|2|0.0|xcopa
hu|Hungarian|Uralic|Ugric|Latin|4|58.4|udpos panx tatoeba
id|Indonesian|Austronesian|Malayo-Sumbawan|Latin|3|148.3|xcopa udpos panx tydiqa tatoeba
it|Italian|Indo-European|Romance|Latin|4|30.2|xcopa udpos panx tatoeba
ja|Japanese|Japonic|Japanese|Japanese|5|69.3|udpos panx tatoeba mewslix pawsx
jv|Javanese|Austronesian|Javanese|Latin|1|0.2|panx tatoeba
ka|Georgian|Kartvelian|Kartvelian|Georgian|3|9.1|panx tatoeba
kk|Kazakh|Turkic|Turkic|Cyrillic|3|6.4|udpos panx tatoeba
ko|Korean|Korean (isolate)|Korean|Hangul|4|54.2|udpos panx tydiqa tatoeba pawsx
lt|Lithuanian|Indo-European|Baltic|Latin|3|13.7|udpos panx tatoeba
ml|Malayalam|Dravidian|Dravidian|Malayalam|1|7.6|panx tatoeba
mr|Marathi|Indo-European|Indic|Devanagari|2|2.8|udpos panx tatoeba
ms|Malay|Austronesian|Malayo-Sumbawan|Latin|3|8.5|panx
my|Burmese|Sino-Tibetan|Burmese-Lolo|Myanmar|1|2.0|panx
nl|Dutch|Indo-European|Germanic|Latin|4|29.3|udpos panx tatoeba
pa|Punjabi|Indo-European|Indic|Gurmukhi|2|0.8|panx
pl|Polish|Indo-European|Slavic|Latin|4|44.6|udpos panx tatoeba mewslix
pt|Portuguese|Indo-European|Romance|Latin|4|49.1|udpos panx tatoeba
qu|Quechua|Quechuan|Quechuan|Latin|1|0.0|xcopa panx
ro|Romanian|Indo-European|Romance|Latin|3|61.4|udpos panx xquad tatoeba mewslix
ru|Russian|Indo-European|Slavic|Cyrillic|4|278.0|xnli udpos panx xquad tydiqa tatoeba lareqa bucc2018
sw|Swahili|Niger-Congo|Bantu|Latin|2|1.6|xnli xcopa panx tydiqa tatoeba
ta|Tamil|Dravidian|Dravidian|Tamil|3|12.2|xcopa udpos panx tatoeba mewslix
te|Telugu|Dravidian|Dravidian|Telugu|1|4.7|udpos panx tydiqa tatoeba
th|Thai|Kra-Dai|Kam-Tai|Thai|3|71.7|xnli xcopa udpos panx xquad tatoeba lareqa
tl|Tagalog|Austronesian|Greater Central Philippine|Latin|3|3.1|udpos panx tatoeba
tr|Turkish|Turkic|Turkic|Latin|4|20.9|xnli xcopa udpos panx xquad tatoeba mewslix lareqa
uk|Ukrainian|Indo-European|Slavic|Cyrillic|3|84.6|udpos panx tatoeba mewslix
ur|Urdu|Indo-European|Indic|Arabic|3|5.7|xnli udpos panx tatoeba
vi|Vietnamese|Austro-Asiatic|Vietic|Latin|4|137.3|xnli xcopa udpos panx xquad mlqa tatoeba lareqa
wo|Wolof|Niger-Congo|Wolof|Latin|2|0.0|udpos
yo|Yoruba|Niger-Congo|Defoid|Latin|2|0.0|udpos panx
zh|Chinese (Mandarin)|Sino-Tibetan|Chinese|Han|5|63.5|xnli xcopa udpos panx xquad mlqa tatoeba lareqa pawsx bucc2018
"""

# Languages of the extensions: code as data sets write it | name | family | genus | script. Joshi classes and sizes are
# left open where they were not read at a source. All of them count as low-resource: that is what the extensions test.
_EXTENSIONS = """
bam|Bambara|Niger-Congo|Mande|Latin
bbj|Ghomala|Niger-Congo|Bantoid|Latin
ewe|Ewe|Niger-Congo|Kwa|Latin
fon|Fon|Niger-Congo|Kwa|Latin
hau|Hausa|Afro-Asiatic|Chadic|Latin
ibo|Igbo|Niger-Congo|Igboid|Latin
kin|Kinyarwanda|Niger-Congo|Bantu|Latin
lug|Luganda|Niger-Congo|Bantu|Latin
luo|Luo|Nilo-Saharan|Nilotic|Latin
mos|Mossi|Niger-Congo|Gur|Latin
nya|Chichewa|Niger-Congo|Bantu|Latin
pcm|Nigerian Pidgin|Creole|Creoles and Pidgins|Latin
sna|Shona|Niger-Congo|Bantu|Latin
swa|Swahili (MasakhaNER)|Niger-Congo|Bantu|Latin
tsn|Setswana|Niger-Congo|Bantu|Latin
twi|Twi|Niger-Congo|Kwa|Latin
wol|Wolof (MasakhaNER)|Niger-Congo|Wolof|Latin
xho|Xhosa|Niger-Congo|Bantu|Latin
yor|Yoruba (MasakhaNER)|Niger-Congo|Defoid|Latin
zul|Zulu|Niger-Congo|Bantu|Latin
aym|Aymara|Aymaran|Aymaran|Latin
bzd|Bribri|Chibchan|Talamanca|Latin
cni|Ashaninka|Arawakan|Campa|Latin
gn|Guarani|Tupian|Tupi-Guarani|Latin
hch|Wixarika|Uto-Aztecan|Corachol|Latin
nah|Nahuatl|Uto-Aztecan|Aztecan|Latin
oto|Otomi|Oto-Manguean|Otomian|Latin
quy|Ayacucho Quechua|Quechuan|Quechuan|Latin
shp|Shipibo-Konibo|Pano-Tacanan|Panoan|Latin
tar|Raramuri|Uto-Aztecan|Tarahumaran|Latin
"""

_SAME = {"swa": "sw", "wol": "wo", "yor": "yo"}
"""Extensions that test a language of XTREME-R under another code: class and size are those."""

_ORDER_NAMES = {"SVO": "subject-verb-object", "SOV": "subject-object-verb", "VSO": "verb-subject-object"}


def resource_of(joshi_class: int) -> Resource:
    """Resource tier by Joshi class: 0 to 2 low, 3 mid, 4 and 5 high."""
    return "low" if joshi_class <= 2 else "mid" if joshi_class == 3 else "high"


@cache
def languages() -> dict[str, Language]:
    """The real languages by code."""
    table = {}
    for line in _TABLE.strip().splitlines():
        code, name, family, genus, script, joshi, gib, tasks = (cell.strip() for cell in line.split("|"))
        resource = resource_of(int(joshi))
        table[code] = Language(
            code, name, family, genus, script, int(joshi), float(gib), resource, tuple(tasks.split())
        )
    return table


@cache
def extension_languages() -> dict[str, Language]:
    """Languages that only the low-resource extensions test, by code."""
    table = {}
    for line in _EXTENSIONS.strip().splitlines():
        code, name, family, genus, script = (cell.strip() for cell in line.split("|"))
        same = languages().get(_SAME.get(code, ""))
        joshi, gib = (same.joshi_class, same.cc100_gib) if same else (None, None)
        table[code] = Language(code, name, family, genus, script, joshi, gib, "low")
    return table


@cache
def known_languages() -> dict[str, Language]:
    """All real languages: the 50 of XTREME-R, then those of the extensions."""
    return languages() | extension_languages()


LOW_RESOURCE = ("joshi", "gib", "unseen")
"""Definitions of low-resource: class 0 to 2 of Joshi et al. 2020; little text in pretraining; none at all."""

LITTLE_GIB = 5.0
"""Text in pretraining below which a language counts as low-resource by ``gib``, unless another limit is given."""

PRETRAINING = {
    "xlm-r": "CC-100, GiB by language from table 6 of Conneau et al. 2020",
    "mdeberta": "",
    "mt5": "",
    "mmbert": "",
    "rembert": "",
}
"""Series of backbones -> the text whose size by language is known; empty where no such table was read."""


def pretraining_gib(code: str, series: str = "xlm-r") -> float | None:
    """GiB of a language in the pretraining text of a series of backbones.

    Returns:
        0.0 for a language that is not in it; None where the size is not known.

    Raises:
        ValueError: there is no such series or language.
    """
    if series not in PRETRAINING:
        raise ValueError(f"series '{series}'; expected one of: {', '.join(PRETRAINING)}")
    if code not in known_languages():
        raise ValueError(f"language '{code}' is not in the catalogue")
    return known_languages()[code].cc100_gib if PRETRAINING[series] else None


def low_resource(definition: str, *, gib: float = LITTLE_GIB, series: str = "xlm-r") -> tuple[str, ...]:
    """Codes of real languages that are low-resource by one definition; a claim should hold under several.

    Args:
        definition: one of `LOW_RESOURCE`: ``joshi`` (class 0 to 2 of Joshi et al. 2020), ``gib`` (less than ``gib`` GiB
            of pretraining text) or ``unseen`` (none).
        gib: limit of ``gib``.
        series: of the backbones whose pretraining text is meant; ``joshi`` does not depend on it.

    Raises:
        ValueError: there is no such definition or series, or no sizes are known for the series.

    Languages whose class or size is not known are left out, not guessed.
    """
    if definition not in LOW_RESOURCE:
        raise ValueError(f"definition '{definition}'; expected {', '.join(LOW_RESOURCE)}")
    table = known_languages()
    if definition == "joshi":
        return tuple(code for code, entry in table.items() if entry.joshi_class is not None and entry.joshi_class <= 2)
    sizes = {code: pretraining_gib(code, series) for code in table}
    if all(size is None for size in sizes.values()):
        raise ValueError(f"series '{series}': no size by language is known, so '{definition}' cannot be decided")
    limit = gib if definition == "gib" else 0.0
    return tuple(code for code, size in sizes.items() if size is not None and (size < limit or size == 0.0))


def low_by(code: str) -> tuple[str, ...]:
    """The definitions by which a language is low-resource, with their usual limits and the text of XLM-R."""
    return tuple(definition for definition in LOW_RESOURCE if code in low_resource(definition))


@cache
def world_languages() -> dict[str, Language]:
    """The synthetic languages by code; ``en`` is the world's English, not the real one."""
    targets = tuple(name for name, task in WORLD_TASKS.items() if task.role == "target")
    return {
        code: Language(
            code=code,
            name=entry.name,
            family=entry.family,
            genus=_ORDER_NAMES[entry.order],
            script="Latin",
            joshi_class=None,
            cc100_gib=None,
            resource=entry.tier,
            tasks=targets,
            synthetic=True,
        )
        for code, entry in WORLD.items()
    }

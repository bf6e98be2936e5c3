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
        code, name, family, genus, script, listed, size = (cell.strip() for cell in line.split("|"))
        same = languages().get(_SAME.get(code, ""))
        joshi = same.joshi_class if same else int(listed) if listed else None
        gib = same.cc100_gib if same else float(size)
        table[code] = Language(code, name, family, genus, script, joshi, gib, "low")
    return table


@cache
def known_languages() -> dict[str, Language]:
    """All real languages: the 50 of XTREME-R, then those of the extensions."""
    return languages() | extension_languages()


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

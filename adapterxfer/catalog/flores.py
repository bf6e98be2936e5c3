"""Codes of FLORES-200."""

from __future__ import annotations

from adapterxfer.catalog.languages import further_rows

FLORES = {
    "af": "afr_Latn",
    "ar": "arb_Arab",
    "az": "azj_Latn",
    "bg": "bul_Cyrl",
    "bn": "ben_Beng",
    "de": "deu_Latn",
    "el": "ell_Grek",
    "en": "eng_Latn",
    "es": "spa_Latn",
    "et": "est_Latn",
    "eu": "eus_Latn",
    "fa": "pes_Arab",
    "fi": "fin_Latn",
    "fr": "fra_Latn",
    "gu": "guj_Gujr",
    "he": "heb_Hebr",
    "hi": "hin_Deva",
    "ht": "hat_Latn",
    "hu": "hun_Latn",
    "id": "ind_Latn",
    "it": "ita_Latn",
    "ja": "jpn_Jpan",
    "jv": "jav_Latn",
    "ka": "kat_Geor",
    "kk": "kaz_Cyrl",
    "ko": "kor_Hang",
    "lt": "lit_Latn",
    "ml": "mal_Mlym",
    "mr": "mar_Deva",
    "ms": "zsm_Latn",
    "my": "mya_Mymr",
    "nl": "nld_Latn",
    "pa": "pan_Guru",
    "pl": "pol_Latn",
    "pt": "por_Latn",
    "ro": "ron_Latn",
    "ru": "rus_Cyrl",
    "sw": "swh_Latn",
    "ta": "tam_Taml",
    "te": "tel_Telu",
    "th": "tha_Thai",
    "tl": "tgl_Latn",
    "tr": "tur_Latn",
    "uk": "ukr_Cyrl",
    "ur": "urd_Arab",
    "vi": "vie_Latn",
    "wo": "wol_Latn",
    "yo": "yor_Latn",
    "zh": "zho_Hans",
    "bam": "bam_Latn",
    "hau": "hau_Latn",
    "ibo": "ibo_Latn",
    "kin": "kin_Latn",
    "lug": "lug_Latn",
    "luo": "luo_Latn",
    "nya": "nya_Latn",
    "sna": "sna_Latn",
    "tsn": "tsn_Latn",
    "xho": "xho_Latn",
    "zul": "zul_Latn",
    "gn": "grn_Latn",
}
"""Codes of the study to those of FLORES-200, which Belebele and SIB-200 use; both have all of these languages, and a
recipe that names no languages means these.

Quechua of XTREME-R and Aymara of AmericasNLI are other varieties than those there, so they are left out.
"""

_SIB200_ALSO = {"ewe": "ewe_Latn", "fon": "fon_Latn", "mos": "mos_Latn", "quy": "quy_Latn", "twi": "twi_Latn"}
"""Languages of the extensions that SIB-200 has and Belebele has not; Ayacucho Quechua is that of AmericasNLI."""


def _codes(mark: str) -> dict[str, str]:
    return {row["code"]: row["flores"] for row in further_rows() if mark in row["sets"]}


SIB200_CODES = FLORES | _SIB200_ALSO | _codes("s")
"""Codes of the 205 languages and scripts of SIB-200."""

BELEBELE_CODES = FLORES | _codes("b")
"""Codes of the 122 languages and scripts of Belebele."""

"""Questions reduced to the sentence with the answer: easier than the official tasks, never called by their name."""

from __future__ import annotations

from dataclasses import replace

from adapterxfer.catalog.families.qa import SQUAD_V1, TYDIQA, XQUAD
from adapterxfer.catalog.task_specs import TargetDev, TaskParts, TaskSpec, codes

_NOTE = "the sentence that holds the answer is the context: easier than the official task, never compare the two"
_PROTOCOL = "qa/squad-normaliser/gold-sentence"
_READER = "adapterxfer.data.squad:read_gold_sentences"
_XQUAD_TESTED = "XQuAD's questions are all tested"

SQUAD = replace(
    SQUAD_V1,
    name="squad-gold-sentence",
    files={"train": SQUAD_V1.files["train"]},
    reader=_READER,
    hub=None,
    origin="SQuAD 1.1, train-v1.1.json",
    sizes={},
)
TYDI = replace(
    TYDIQA,
    name="tydiqa-gold-sentence",
    reader="adapterxfer.data.squad:read_tydiqa_gold_sentences",
    hub=None,
    origin="TyDi QA GoldP, version 1.1",
    refused={},
)
XTEST = replace(XQUAD, name="xquad-gold-sentence", reader=_READER, hub=None, origin="XQuAD, xquad.XX.json", sizes={})

TASKS = (
    TaskSpec(
        role="intermediate",
        kin="qa",
        metric="qa_f1",
        parts=TaskParts(name="squad-gold-sentence", format="span_qa", train=(SQUAD.part("train"),), layouts=False),
        licence="cc-by-sa-4.0",
        protocol=_PROTOCOL,
        texts=("squad",),
        source="files",
        hub="rajpurkar/squad",
        note=_NOTE,
    ),
    TaskSpec(
        role="target",
        kin="qa",
        metric="qa_f1",
        parts=TaskParts(
            name="tydiqa-gold-sentence", format="span_qa", train=(TYDI.part("train"),), test=TYDI, layouts=False
        ),
        licence="apache-2.0",
        languages=tuple(TYDI.codes),
        protocol=_PROTOCOL,
        target_dev=TargetDev(why_not="the development questions of TyDi QA are those that are tested"),
        source="files",
        hub="google-research-datasets/tydiqa",
        note=_NOTE,
    ),
    TaskSpec(
        role="target",
        kin="qa",
        metric="qa_f1",
        parts=TaskParts(
            name="tydiqa-xquad-gold-sentence",
            format="span_qa",
            train=(TYDI.part("train"),),
            test=XTEST,
            layouts=False,
        ),
        licence="apache-2.0 (training), cc-by-sa-4.0 (test)",
        languages=codes("ar de el en es hi ro ru th tr vi zh"),
        protocol=_PROTOCOL,
        target_dev=TargetDev(why_not=_XQUAD_TESTED),
        # No training question is shared here, but SQuAD's annotators wrote the test questions too.
        texts=("squad",),
        source="files",
        hub="google/xquad",
        note="trained on TyDi QA's English questions, tested on XQuAD's; " + _NOTE,
    ),
    TaskSpec(
        role="target",
        kin="qa",
        metric="qa_f1",
        # Its training questions may already serve as an intermediate task: these come from the other end.
        parts=TaskParts(
            name="xquad-gold-sentence",
            format="span_qa",
            train=(SQUAD.part("train"),),
            test=XTEST,
            from_end=True,
            layouts=False,
        ),
        licence="cc-by-sa-4.0",
        languages=codes("ar de el en es hi ro ru th tr vi zh"),
        protocol=_PROTOCOL,
        target_dev=TargetDev(why_not=_XQUAD_TESTED),
        texts=("squad",),
        source="files",
        hub="google/xquad",
        note=_NOTE,
    ),
)

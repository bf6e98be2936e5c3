"""Small tasks of every format, with hand-made text in two languages; files of pools come from ``pool_files``."""

import sys
from pathlib import Path

import pytest

from adapterxfer.data.examples import (
    ChoiceExample,
    PairExample,
    RetrievalExample,
    SpanExample,
    TaggingExample,
    TaskData,
)
from adapterxfer.data.storage import read_task, write_task

sys.path.append(str(Path(__file__).parent))


def pairs(language, count, word):
    """Label ``yes`` exactly if the second text has the word; the first text tells nothing."""
    return [
        PairExample(
            str(i), str(i), language, f"tom saw {i % 5}", f"the {word if i % 2 else 'dog'} ran", ("no", "yes")[i % 2]
        )
        for i in range(count)
    ]


TASKS = {
    "nli": TaskData(
        "nli",
        "sequence_classification",
        ("no", "yes"),
        {
            ("train", "en"): pairs("en", 40, "cat"),
            ("test", "xx"): pairs("xx", 9, "katze"),
            ("test", "en"): pairs("en", 9, "cat"),
        },
    ),
    "ner": TaskData(
        "ner",
        "tagging",
        ("O", "B-PER", "I-PER"),
        {
            ("train", "en"): [
                TaggingExample("0", "0", "en", ("Tom", "saw", "Anna", "now", "."), ("B-PER", "O", "B-PER", "O", "O"))
            ],
            ("test", "en"): [
                TaggingExample("1", "1", "en", ("tom", "ran", "."), ("B-PER", "O", "O")),
                TaggingExample("2", "2", "en", ("\u200b", "Annabel"), ("O", "B-PER")),
            ],
            ("test", "xx"): [TaggingExample("1", "1", "xx", ("Tom", "lief", "weg"), ("B-PER", "O", "O"))],
        },
    ),
    "qa": TaskData(
        "qa",
        "span_qa",
        (),
        {
            ("train", "en"): [
                SpanExample(
                    example_id="0",
                    cluster_id="0",
                    language="en",
                    question="who?",
                    context="a big cat ran",
                    answers=("big cat",),
                    answer_starts=(2,),
                )
            ],
            ("test", "en"): [
                SpanExample(
                    example_id="1",
                    cluster_id="p",
                    language="en",
                    question="who saw anna?",
                    context="Tom, the dog, saw Anna.",
                    answers=("Tom", "Tom, the dog"),
                    answer_starts=(0, 0),
                )
            ],
            ("test", "xx"): [
                SpanExample(
                    example_id="1",
                    cluster_id="p",
                    language="xx",
                    question="wer?",
                    context="nur",
                    answers=("nur",),
                    answer_starts=(0,),
                )
            ],
        },
    ),
    "choice": TaskData(
        "choice",
        "multiple_choice",
        (),
        {
            ("test", "en"): [
                ChoiceExample(
                    example_id="1",
                    cluster_id="1",
                    language="en",
                    context="tom",
                    question="who?",
                    choices=("a", "b"),
                    label=1,
                ),
                ChoiceExample(
                    example_id="2",
                    cluster_id="2",
                    language="en",
                    context="tom",
                    question="who?",
                    choices=("a", "b", "c", "d"),
                    label=1,
                ),
            ]
        },
    ),
    "retrieval": TaskData(
        "retrieval",
        "retrieval",
        (),
        {
            ("test", language): [
                RetrievalExample(str(i), str(i), language, f"{language} {word}", word)
                for i, word in enumerate(("tom", "anna", "dog", "big"))
            ]
            for language in ("yy", "xx")
        },
    ),
}


@pytest.fixture(scope="session")
def task_folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("tasks")
    for name, data in TASKS.items():
        write_task(root / name, data)
    return {name: root / name for name in TASKS}


@pytest.fixture
def stored(task_folders):
    return lambda name: read_task(task_folders[name])


@pytest.fixture(scope="session")
def backbone_folder(tmp_path_factory):
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import XLMRobertaConfig, XLMRobertaModel

    folder = tmp_path_factory.mktemp("backbone")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    vocabulary = {piece: index for index, piece in enumerate([*special, "\u2581", *"abcdefghijklmnopqrstuvwxyz.,?"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder

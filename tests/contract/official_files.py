"""A few rows of every data set in its official layout, for the contract that every entry of the catalogue keeps."""
# ruff: noqa: E501 - rows of data read better on one line

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from field_files import field_files, knowledge_parquet

from adapterxfer.catalog import data_sets, parts_of_task
from adapterxfer.catalog.labels import UPOS

ROWS = 24
NLI = ("entailment", "neutral", "contradiction")
NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
TOPICS = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")

Files = dict[str, str | bytes]


def _jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _tsv(header: str, rows: list[list[object]]) -> str:
    lines = ["\t".join(map(str, row)) for row in rows]
    return "\n".join(([header.replace(" ", "\t")] if header else []) + lines) + "\n"


def _table(rows: list[list[object]]) -> str:
    target = io.StringIO()
    csv.writer(target).writerows(rows)
    return target.getvalue()


def _squad(language: str, prefix: str = "q") -> str:
    """Questions of a few paragraphs; ids are the same in all languages."""
    paragraphs = []
    for i in range(ROWS):
        context = f"{language} one two. The answer {i} is here, in the end. Nothing else."
        answer = {"text": f"answer {i}", "answer_start": context.index("answer")}
        paragraphs.append(
            {"context": context, "qas": [{"id": f"{prefix}{i}", "question": f"what {i}", "answers": [answer]}]}
        )
    return json.dumps({"version": "1.1", "data": [{"title": "", "paragraphs": paragraphs}]})


def _unanswerable() -> str:
    content = json.loads(_squad("en"))
    for number, paragraph in enumerate(content["data"][0]["paragraphs"]):
        entry = paragraph["qas"][0]
        entry["is_impossible"] = number % 2 == 0
        if entry["is_impossible"]:
            entry["plausible_answers"], entry["answers"] = entry["answers"], []
    return json.dumps(content)


def _columns(tags: tuple[str, ...], line: Callable[[str, str], str], language: str) -> str:
    """Sentences of four words over all tags."""
    sentences = [[(f"{language}{i}w{j}", tags[(i + j) % len(tags)]) for j in range(4)] for i in range(ROWS)]
    return "".join("".join(line(*word) + "\n" for word in sentence) + "\n" for sentence in sentences)


def _conllu(language: str) -> str:
    rows = []
    for i in range(ROWS):
        rows.append(f"# sent_id = s{i}")
        rows += [
            "\t".join([str(j + 1), f"{language}{i}w{j}", "_", UPOS[(i + j) % 17], "_", "_", "0", "_", "_", "_"])
            for j in range(4)
        ]
        rows.append("")
    return "\n".join(rows) + "\n"


def _pairs(first: str, second: str, label: str, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{first: f"a {i // 3}", second: f"b {i}", label: labels[i % len(labels)]} for i in range(ROWS)]


def _nli(language: str) -> list[list[object]]:
    return [[language, f"{language} a {i // 3}", f"b {i}", NLI[i % 3]] for i in range(ROWS)]


def dataset_files(dataset: str, split: str, languages: tuple[str, ...]) -> Files:
    """Relative path -> content of one split of a data set."""
    two = [{"premise": f"p {i}", "choice1": f"x {i}", "choice2": f"y {i}", "question": "cause", "label": i % 2, "idx": i}
           for i in range(ROWS)]  # fmt: skip
    match dataset:
        case "anli":
            rows = [
                {"uid": f"u{i}", "context": f"a {i}", "hypothesis": f"b {i}", "label": "enc"[i % 3]}
                for i in range(ROWS)
            ]
            return {f"anli_v1.0/{r}/{split}.jsonl": _jsonl(rows) for r in ("R1", "R2", "R3")}
        case "mnli":
            name = {"train": "train", "dev": "dev_matched"}[split]
            return {f"multinli_1.0_{name}.jsonl": _jsonl(_pairs("sentence1", "sentence2", "gold_label", (*NLI, "-")))}
        case "snli":
            return {f"snli_1.0_{split}.jsonl": _jsonl(_pairs("sentence1", "sentence2", "gold_label", NLI))}
        case "qqp":
            rows: list[list[object]] = [[i, i, i, f'a "{i // 3}', f"b {i}", i % 2] for i in range(ROWS)]
            return {f"QQP/{split}.tsv": _tsv("id qid1 qid2 question1 question2 is_duplicate", rows)}
        case "scitail":
            return {
                f"scitail_1.0_{split}.tsv": _tsv(
                    "", [[f"a {i}", f"b {i}", ("entails", "neutral")[i % 2]] for i in range(ROWS)]
                )
            }
        case "boolq":
            return {
                f"BoolQ/{split}.jsonl": _jsonl(
                    [{"passage": f"a {i // 2}", "question": f"b {i}", "answer": i % 2 == 0} for i in range(ROWS)]
                )
            }
        case "squad-v1" | "squad-retrieval":
            return {f"{split}-v1.1.json": _squad("en")}
        case "squad-v2":
            return {f"{split}-v2.0.json": _unanswerable()}
        case "hellaswag":
            rows_ = [
                {"ind": i, "ctx_a": f"a {i}", "ctx_b": "b", "endings": list("wxyz"), "label": i % 4}
                for i in range(ROWS)
            ]
            return {f"hellaswag_{'val' if split == 'dev' else split}.jsonl": _jsonl(rows_)}
        case "ccg":
            lines: list[list[object]] = [[f"w{i} v{i}", "N (S\\NP)/NP" if i % 2 else "NP N"] for i in range(ROWS)]
            return {f"ccg/{'val' if split == 'dev' else split}.tsv": _tsv("", lines)}
        case "cosmosqa":
            header: list[object] = ["id", "context", "question", "answer0", "answer1", "answer2", "answer3", "label"]
            body: list[list[object]] = [[f"c{i}", f'a, "{i}"', "q?", "w", "x", "y", "z", i % 4] for i in range(ROWS)]
            return {f"cosmosqa/data/{'valid' if split == 'dev' else split}.csv": _table([header, *body])}
        case "commonsenseqa":
            made = [{"id": f"i{i}", "answerKey": "ABCDE"[i % 5], "question": {"stem": f"q {i}", "choices": [
                {"label": letter, "text": f"{letter} {i}"} for letter in "ABCDE"]}} for i in range(ROWS)]  # fmt: skip
            return {f"{split}_rand_split.jsonl": _jsonl(made)}
        case "siqa":
            rows_ = [
                {
                    "context": f"a {i}",
                    "question": "q",
                    "answerA": "x",
                    "answerB": "y",
                    "answerC": "z",
                    "correct": "ABC"[i % 3],
                }
                for i in range(ROWS)
            ]
            return {f"socialIQa_v1.4_{'trn' if split == 'train' else split}.jsonl": _jsonl(rows_)}
        case "copa":
            return {f"COPA/{'val' if split == 'dev' else split}.jsonl": _jsonl(two)}
        case "race":
            content = {level: json.dumps({"id": f"{level}1.txt", "article": f"{level} text", "questions": [f"q{i}" for i in range(ROWS)],
                                          "options": [list("wxyz")] * ROWS, "answers": ["ABCD"[i % 4] for i in range(ROWS)]})
                       for level in ("high", "middle")}  # fmt: skip
            return {f"RACE/{split}/{level}/1.txt": text for level, text in content.items()}
        case "winogrande":
            rows_ = [
                {
                    "qID": f"w{i}",
                    "sentence": f"The _ is {i}.",
                    "option1": "cat",
                    "option2": "dog",
                    "answer": str(1 + i % 2),
                }
                for i in range(ROWS)
            ]
            return {("train_xl.jsonl" if split == "train" else "winogrande_1.1/dev.jsonl"): _jsonl(rows_)}
        case "xnli":
            every = [["language", "gold_label", "sentence1", "sentence2"]]
            every += [[c, label, a, b] for code in languages for c, a, b, label in _nli(code)]  # type: ignore[misc]
            return {f"xnli.{split}.tsv": _tsv("", every)}  # type: ignore[arg-type]
        case "pawsx":
            name = {"train": "train", "dev": "dev_2k", "test": "test_2k"}[split]
            rows = [[i, f'a "{i}', f"b {i}", i % 2] for i in range(ROWS)]
            codes = ("en",) if split != "test" else languages
            return {f"x-final/{code}/{name}.tsv": _tsv("id sentence1 sentence2 label", rows) for code in codes}
        case "xcopa":
            return {f"data/{code}/test.{code}.jsonl": _jsonl(two) for code in (*languages, "et")}
        case "udpos" | "udpos-english":
            if split == "test":
                return {f"ud/{code}_x-ud-test.conllu": _conllu(code) for code in languages}
            return {f"ud/en_ewt-ud-{split}.conllu": _conllu("en")}
        case "panx":
            codes = ("en",) if split != "test" else languages
            return {f"{code}/{split}": _columns(NER, lambda w, t, c=code: f"{c}:{w}\t{t}", code) for code in codes}  # type: ignore[misc]
        case "xquad":
            return {f"xquad.{code}.json": _squad(code) for code in languages}
        case "mlqa":
            return {f"MLQA_V1/test/test-context-{c}-question-{c}.json": _squad(c) for c in languages}
        case "tydiqa":
            codes = ("en",) if split == "train" else languages
            name = {"train": "train", "test": "dev"}[split]
            if split == "train":
                return {f"tydiqa-goldp-v1.1-{name}.json": _squad("en", "english-")}
            prefixes = data_sets()["tydiqa"].codes
            return {f"tydiqa.goldp.{code}.{name}.json": _squad(code, f"{prefixes[code]}-") for code in codes}
        case "tatoeba":
            iso3 = data_sets()["tatoeba"].codes
            return {f"tatoeba.{iso3[c]}-eng.{side}": "".join(f"{side} {(7 * i) % ROWS}\n" for i in range(ROWS))
                    for c in languages for side in (iso3[c], "eng")}  # fmt: skip
        case "bucc2018":
            name = {"test": "training", "sample": "sample"}[split]
            found: Files = {}
            for code in languages:
                for side in (code, "en"):
                    found[f"bucc2018/{code}-en/{code}-en.{name}.{side}"] = "".join(
                        f"{side}-{i}\tword {i}\n" for i in range(ROWS)
                    )
                found[f"bucc2018/{code}-en/{code}-en.{name}.gold"] = "".join(
                    f"{code}-{i}\ten-{i}\n" for i in range(ROWS // 2)
                )
            return found
        case "lareqa":
            return {f"xquad-r/{code}.json": _lareqa(code) for code in languages}
        case "mewslix":
            return _mewslix(split, languages)
        case "masakhaner2":
            return {
                f"MasakhaNER2.0/data/{c}/test.txt": _columns((*NER, "B-DATE", "I-DATE"), lambda w, t: f"{w} {t}", c)
                for c in languages
            }
        case "masakhapos":
            return {f"masakhane-pos/data/{c}/test.txt": _columns(UPOS, lambda w, t: f"{w} {t}", c) for c in languages}
        case "americasnli":
            rows = [[a, b, label] for _, a, b, label in _nli("x")]
            return {f"{split}/{code}.tsv": _tsv("premise hypothesis label", rows) for code in languages}
        case "xstorycloze":
            names = "InputStoryid InputSentence1 InputSentence2 InputSentence3 InputSentence4 RandomFifthSentenceQuiz1 RandomFifthSentenceQuiz2 AnswerRightEnding"
            rows = [[f"s{i}", "a", "b", "c", f"d {i}", "x", "y", 1 + i % 2] for i in range(ROWS)]
            end = {"train": "train", "test": "eval"}[split]
            codes = ("en",) if split == "train" else languages
            return {f"spring2016.val.{code}.tsv.split_20_80_{end}.tsv": _tsv(names, rows) for code in codes}
        case "belebele":
            rows_ = [{"link": f"l{i // 2}", "question_number": 1 + i % 2, "flores_passage": f"a {i // 2}", "question": f"q {i}",
                      "mc_answer1": "w", "mc_answer2": "x", "mc_answer3": "y", "mc_answer4": "z",
                      "correct_answer_num": str(1 + i % 4)} for i in range(ROWS)]  # fmt: skip
            return {f"Belebele/{data_sets()[dataset].code(code)}.jsonl": _jsonl(rows_) for code in languages}
        case "sib200":
            rows = [[i, TOPICS[i % 7], f"text {i}"] for i in range(ROWS)]
            codes = ("en",) if split != "test" else languages
            return {
                f"annotated/{data_sets()[dataset].code(code)}/{split}.tsv": _tsv("index_id category text", rows)
                for code in codes
            }
        case "masakhanews" | "afrisenti" | "nusax" | "injongo-intent" | "tweet-sentiment" | "afrixnli" | "afrimmlu":
            return field_files(dataset, split, languages)
        case "global-mmlu-lite":
            return {
                f"Global-MMLU-Lite/{code}/test-00000-of-00001.parquet": knowledge_parquet(code) for code in languages
            }
    raise LookupError(dataset)


def _lareqa(code: str) -> str:
    content = json.loads(_squad(code))
    for paragraph in content["data"][0]["paragraphs"]:
        text = paragraph["context"]
        first = text.index(".") + 1
        breaks = [[0, first], [first + 1, len(text)]]
        paragraph |= {"sentence_breaks": breaks, "sentences": [text[a:b] for a, b in breaks]}
    return json.dumps(content)


def _mewslix(split: str, languages: tuple[str, ...]) -> Files:
    def context(code: str, i: int) -> dict[str, Any]:
        text = f"the word {i} ran"
        return {"language": code, "text": text, "sentence_spans": [{"start": 0, "end": len(text)}]}

    def mention(name: str, i: int) -> dict[str, Any]:
        return {"example_id": name, "mention_span": {"start": 4, "end": 8, "text": "word"}, "entity_id": f"Q{i}"}

    entities = [
        {"entity_id": f"Q{i}", "title": "t", "description": f"word {i}", "sentence_spans": [{"start": 0, "end": 6}]}
        for i in range(ROWS)
    ]
    if split == "test":
        rows = [{"context": context(c, i), "mentions": [mention(f"{c}{i}", i)]} for c in languages for i in range(ROWS)]
        return {"wikinews_mentions-test.jsonl": _jsonl(rows), "candidate_set_entities.jsonl": _jsonl(entities)}
    pairs = [
        {"contextual_mention": {"context": context("en", i), "mention": mention(f"e{i}", i)}, "entity": entities[i]}
        for i in range(ROWS)
    ]
    return {f"wikipedia_pairs-{split}.jsonl": _jsonl(pairs)}


def write_task(root: Path, task: str, languages: tuple[str, ...]) -> None:
    """All files of a task; development sets that are cut from the training data are left out."""
    parts = parts_of_task(task)
    wanted = [(data, split) for data, split, _ in (*parts.train, *parts.dev)]
    wanted += [
        (parts.test, split) for split in ("test", *parts.pools) if parts.test is not None and "pool" not in split
    ]
    for data, split in wanted:
        for name, content in dataset_files(data.name, split, languages).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

"""Intents of utterances to an assistant in African languages."""

from __future__ import annotations

from adapterxfer.catalog.data_sets import USUAL, Alternate, ClusterRule, DataSet, HubSource, three
from adapterxfer.catalog.iso3 import iso3
from adapterxfer.catalog.task_specs import TargetDev, TaskParts, TaskSpec, codes

INTENTS = (
    "alarm", "balance", "bill_balance", "book_flight", "book_hotel", "calendar_update", "cancel_reservation",
    "car_rental", "confirm_reservation", "cook_time", "exchange_rate", "food_last", "freeze_account",
    "ingredients_list", "interest_rate", "international_visa", "make_call", "meal_suggestion", "min_payment",
    "pay_bill", "pin_change", "play_music", "plug_type", "recipe", "restaurant_reservation", "restaurant_reviews",
    "restaurant_suggestion", "share_location", "shopping_list_update", "spending_history", "text", "time", "timezone",
    "transactions", "transfer", "translate", "travel_notification", "travel_suggestion", "update_playlist", "weather",
)  # fmt: skip
"""In alphabetic order."""

_LANGUAGES = codes("en amh ewe hau ibo kin lin lug gaz sna sot sw twi wo xho yo zul")

INJONGO = DataSet(
    name="injongo-intent",
    files=three("[Ii]njongo*/{{code}}/{kind}", ("train", "dev", "test"), (".jsonl",)),
    reader="adapterxfer.data.short_texts:read_injongo",
    codes=iso3(_LANGUAGES),
    labels=INTENTS,
    clusters=ClusterRule(unit="utterance"),
    hub=HubSource(
        repository="masakhane/InjongoIntent",
        config="{code}",
        splits=USUAL,
        columns={"text": "text", "label": "intent"},
        alternates=(
            Alternate(
                repository="mteb/InjongoIntent",
                revision="5af1657c7b42aecfe924c0d9a870ac621a589785",
                config="{code}",
                columns={"text": "text", "label": "label"},
            ),
        ),
    ),
    citation="Yu et al. 2025, INJONGO",
    metric="accuracy",
    sizes={"train": 2240, "dev": 320, "test": 640},
    sizes_in={"train": {"en": 1779}, "test": {"en": 622, "wo": 638}},
)

TASKS = (
    TaskSpec(
        role="target",
        kin="intent",
        metric="accuracy",
        parts=TaskParts(
            name="injongo-intent",
            format="sequence_classification",
            labels=INTENTS,
            train=(INJONGO.part("train"),),
            test=INJONGO,
        ),
        licence="apache-2.0 on the Hub, cc-by-4.0 by mteb",
        languages=_LANGUAGES,
        target_dev=TargetDev(without=("en",)),
    ),
)

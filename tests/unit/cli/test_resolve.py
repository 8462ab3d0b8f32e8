"""From a YAML file and flags to an experiment: whose layout it is."""

from __future__ import annotations

from lrcn.cli.settings import resolve
from lrcn.train.config import Experiment

RUN = {"dataset": {"data": "/clips", "layout": "folder"}}


def test_the_layout_of_a_run_is_that_of_its_own_data() -> None:
    def layout(config: dict[str, object], **flags: str) -> str | None:
        given = {f"dataset.{key}": value for key, value in flags.items()}
        return resolve(Experiment(), config, given, {}).dataset.layout

    assert layout(RUN) == "folder"
    assert layout(RUN, data="/clips") == "folder"
    assert layout(RUN, data="/list.csv") is None
    assert layout(RUN, data="/list.csv", layout="csv") == "csv"
    # A file of settings without data names the layout of whatever is given.
    assert layout({"dataset": {"layout": "jsonl"}}, data="/list") == "jsonl"

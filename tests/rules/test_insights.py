"""Queries of Logs Insights: what each command makes of rows, and what is not understood."""
from __future__ import annotations

import json

import pytest

from ecslab.rules.insights import Malformed, query

START = 1_767_603_600_000  # 2026-01-05 09:00:00
LINES = ["GET /health 200", "GET /slow 503", "POST /order 200", "GET /health 200", '{"level": "error", "took": 12, "at": {"path": "/x"}}', '{"level": "info", "took": 8}']
EVENTS = [{"@timestamp": START + 60_000 * i, "@message": line, "@logStream": f"s{i % 2}", "@log": "1:/g", "@ptr": str(i)} for i, line in enumerate(LINES)]


def found(text: str) -> list[list[str]]:
    return [[value for name, value in row.items() if name != "@ptr"] for row in query(text, EVENTS)]


def test_without_commands_of_its_own_a_query_shows_the_newest_first():
    rows = query("fields @timestamp, @message", EVENTS)
    assert rows[-1] == {"@timestamp": "2026-01-05 09:00:00.000", "@message": "GET /health 200", "@ptr": "0"}
    assert query("limit 1", EVENTS) == [{"@timestamp": "2026-01-05 09:05:00.000", "@message": LINES[5], "@ptr": "5"}]


FILTERS = {
    "@message like /GET/": [3, 1, 0],
    "@message like 'GET' and @message not like /health/": [1],
    "@message =~ /(?i)get.*5\\d\\d/": [1],
    "not @message like /GET/": [5, 4, 2],
    "took > 8": [4],
    "took >= 8 and level != 'error'": [5],
    "level in ['error', \"info\"]": [5, 4],
    "at.path = '/x' or @logStream = 's1' and @message like 'slow'": [4, 1],
    "(at.path = '/x' or @logStream = 's1') and @message like 'slow'": [1],
    "`at.path` = \"/x\" # the nested one": [4],
    "nothing != 'x'": [],
}


@pytest.mark.parametrize("condition", FILTERS)
def test_filter_keeps_what_the_condition_says(condition):
    assert [int(row["@ptr"]) for row in query(f"filter {condition}", EVENTS)] == FILTERS[condition]


def test_stats_count_by_a_field_that_parse_found():
    text = "parse @message '* * *' as method, path, status | filter method like /GET|POST/ | stats count(*) as n by status, method | sort n desc, status asc"
    assert found(text) == [["200", "GET", "2"], ["200", "POST", "1"], ["503", "GET", "1"]]
    assert found(r"parse @message /(?<verb>[A-Z]+) \/(?<page>\w+)/ | filter page = 'slow' | display verb") == [["GET"]]


def test_stats_without_a_name_are_called_what_was_written():
    assert query("stats count(*), count(took), sum(took), avg(took), min(took), max(took), count_distinct(level)", EVENTS) == [
        {"count(*)": "6", "count(took)": "2", "sum(took)": "20", "avg(took)": "10", "min(took)": "8", "max(took)": "12", "count_distinct(level)": "2"}
    ]
    assert query("stats count() by bin(5m) | sort `bin(5m)` asc", EVENTS) == [
        {"bin(5m)": "2026-01-05 09:00:00.000", "count()": "5"},
        {"bin(5m)": "2026-01-05 09:05:00.000", "count()": "1"},
    ]


def test_sort_dedup_and_limit():
    assert found("fields @timestamp | sort @timestamp asc | limit 1") == [["2026-01-05 09:00:00.000"]]
    assert found("fields took | sort took asc | limit 3") == [["8"], ["12"], []]
    assert found("fields @message | filter @message like 'health' | dedup @message") == [["GET /health 200"]]


def test_numbers_are_ordered_as_numbers():
    events = [{**EVENTS[0], "@message": json.dumps({"n": n})} for n in (9, 10, "x", 2.5)]
    assert [row.get("n") for row in query("fields n | sort n desc", events)] == ["x", "10", "9", "2.5"]


WRONG = {
    "pattern @message": "does not know pattern",
    "fields @message | unmask @message": "does not know unmask",
    "filter @message": "does not understand",
    "": "does not understand",
    "fields strlen(@message)": "does not understand",
    "stats sum(*)": "sum needs a field",
    "stats count(*) by bin(0m)": "above 0",
    "limit 10001": "between 1 and 10000",
    "limit 0": "between 1 and 10000",
    "filter @message like /(/": "not a regular expression",
    "parse @message '* *' as a": "2 \\* and 1 names",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_understood_is_said(text):
    with pytest.raises(Malformed, match=WRONG[text]):
        query(text, EVENTS)

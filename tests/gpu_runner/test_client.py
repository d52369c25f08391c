from __future__ import annotations

from typing import Any

import pytest

from gpu_runner.client import CUT, FLOOD, MAX_MESSAGES, OutputGauge, checked_message, clean_text
from gpu_runner.execution import Limits


def message(kind: str, content: Any, **other: Any) -> dict[str, Any]:
    return {"header": {"msg_type": kind, "msg_id": "m"}, "msg_type": kind, "parent_header": {"msg_id": "p"},
            "content": content, **other}  # fmt: skip


def stream(text: str) -> dict[str, Any]:
    return message("stream", {"name": "stdout", "text": text})


def test_a_good_message_keeps_what_a_notebook_needs() -> None:
    content = {"data": {"text/plain": "1", "image/png": "AA"}, "metadata": {"image/png": {"width": 9, "x": "<b>"}},
               "execution_count": 3, "transient": {"display_id": "d"}}  # fmt: skip
    found = checked_message(message("execute_result", content))
    assert found is not None
    assert found["parent_header"] == {"msg_id": "p"}
    assert found["content"] == content | {"metadata": {"image/png": {"width": 9}}}


@pytest.mark.parametrize(
    "odd",
    [
        message("stream", {"name": "stdout", "text": 1}),
        message("stream", []),
        message("error", {"ename": "E", "evalue": "v", "traceback": "no list"}),
        message("error", {"ename": "E", "evalue": "v", "traceback": [1]}),
        message("comm_msg", {"comm_id": "a", "data": {"state": {}}}),
        message("no_such_kind", {}),
        message("status", {}),
        message("stream", {"name": "stdout", "text": "x"}, header={"msg_type": "status"}),
        message("stream", {"name": "stdout", "text": "x"}, parent_header={"msg_id": {}}),
    ],
)
def test_a_message_of_another_form_does_not_exist(odd: dict[str, Any]) -> None:
    assert checked_message(odd) is None


def test_only_text_stays_in_a_display() -> None:
    deep: Any = []
    for _ in range(10_000):
        deep = [deep]
    found = checked_message(message("display_data", {"data": {"application/json": deep, "text/plain": "ok"}}))
    assert found is not None
    assert found["content"]["data"] == {"text/plain": "ok"}


def test_an_execution_count_is_a_number_or_nothing() -> None:
    found = checked_message(message("execute_input", {"execution_count": "<script>", "code": "x"}))
    assert found is not None
    assert found["content"] == {"execution_count": None}


def test_text_that_is_no_unicode_is_replaced() -> None:
    assert clean_text("a\ud800é") == "a?é"


def test_output_is_cut_at_the_limit_with_one_notice_and_errors_still_pass() -> None:
    gauge = OutputGauge(Limits(output_bytes=100))
    assert gauge.admit(stream("a" * 60), 60)
    last = stream("b" * 60)
    assert gauge.admit(last, 60)
    assert last["content"] == {"name": "stderr", "text": "b" * 40 + CUT}
    assert not gauge.admit(stream("c"), 1)
    assert gauge.admit(message("error", {}), 50)
    assert not gauge.admit(message("error", {}), 10**6)
    assert gauge.cut


def test_many_small_messages_are_cut_too_and_a_flood_is_reported() -> None:
    floods: list[bool] = []
    gauge = OutputGauge(Limits())
    gauge.flooded = lambda: floods.append(True)
    for _ in range(MAX_MESSAGES):
        assert gauge.admit(stream("x"), 1)
    assert gauge.admit(stream("x"), 1)
    assert not gauge.admit(stream("x"), 1)
    for _ in range((FLOOD - 1) * MAX_MESSAGES - 2):
        gauge.count(1)
    assert not floods
    gauge.count(1)
    assert floods

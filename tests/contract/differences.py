"""Where our server differs from Cog's on purpose, as tests see it and as documents say it."""

from __future__ import annotations

__all__ = ["DIFFERENCES"]

_FAILURES = (
    "failed predictions have no logs; `Prediction failed: Prediction failed: ValueError: boom`"
)
_DEATH = "a dead worker means 409 for ever"
_LOST_LOGS = (
    "output of `os.write`, of subprocesses and without a line's end is lost; "
    "so is what `setup()` prints"
)
_OUTPUTS = (
    "as outputs, dates are refused, whole numbers from 2^64 on are rounded, an empty `frozenset` "
    "is null, a `Secret` is shown"
)

DIFFERENCES: dict[str, str] = {
    "cancel: a_model_that_waits_is_reached_at_once": (
        "canceling does not reach a model that waits in C (`time.sleep`)"
    ),
    "cancel: one_that_is_canceled_has_its_logs": _FAILURES,
    "crashes: another_worker_makes_the_next_prediction": _DEATH,
    "crashes: the_error_says_how_it_died": _DEATH,
    "events: the_source_of_what_is_printed_is_the_output": (
        "`source` of a `log` event is `stdout` or `stderr`"
    ),
    "events: who_comes_too_late_is_told_the_rest": (
        "a stream ends when it says that events were dropped"
    ),
    "health: the_logs_of_setup_are_what_it_prints": _LOST_LOGS,
    "logs: what_is_written_in_other_ways_is_in_the_logs[descriptor]": _LOST_LOGS,
    "logs: what_is_written_in_other_ways_is_in_the_logs[subprocess]": _LOST_LOGS,
    "logs: what_is_written_in_other_ways_is_in_the_logs[unterminated]": _LOST_LOGS,
    "metrics: a_metric_may_become_another_type": (
        "a metric keeps the type of its first value until it is deleted"
    ),
    "outputs: what_a_model_returns_is_turned_into_json[date]": _OUTPUTS,
    "outputs: what_a_model_returns_is_turned_into_json[empty frozenset]": _OUTPUTS,
    "outputs: what_a_model_returns_is_turned_into_json[large number]": _OUTPUTS,
    "outputs: what_a_model_returns_is_turned_into_json[secret]": _OUTPUTS,
    "predictions: a_client_that_waits_finds_the_slot_free_when_it_has_its_answer": (
        "the slot is freed after the answer is sent: the next request can get a 409"
    ),
    "predictions: a_prediction_that_failed_has_its_logs": _FAILURES,
    "predictions: a_wait_beside_it_bounds_how_long_the_answer_takes": (
        "`Prefer: respond-async, wait=5` is read as nothing"
    ),
    "predictions: the_error_is_what_the_model_said_and_nothing_else": _FAILURES,
    "requests: a_body_that_cannot_be_read_is_refused_in_plain_text[no type]": (
        "a body without `Content-Type` is taken for an empty one"
    ),
    "requests: null_is_accepted_where_the_document_allows_it": (
        "`null` for a nullable input is refused"
    ),
    "routes: all_that_the_index_names_is_there": "`GET /` lists `/docs`, which is not there",
    "shutdown: probes_are_answered_until_the_end": (
        "SIGTERM closes the port at once and waits for requests without a limit"
    ),
    "shutdown: what_nobody_waits_for_is_made_first_and_its_end_told": (
        "predictions that nobody waits for are lost when the server ends"
    ),
    "trainings: a_server_that_predicts_has_none": (
        "`POST /trainings` of a server that predicts checks the input of the training "
        "and runs the predictor with it"
    ),
}
"""Tests that fail on Cog's server, and the first cell of the row in `docs/http.md` about it."""

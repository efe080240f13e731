"""What the metrics are told of a request, once it is answered."""

from __future__ import annotations

from collections.abc import Iterator

from registry_core.http import bodies, request_log
from registry_core.http.answered import Answered
from registry_core.model.change import Operation
from registry_core.model.metrics import REGION, Metric
from registry_core.storage.metrics import MetricsSender

_COUNTED = {
    Operation.PULL: (Metric.TOTAL_PULLS, Metric.SUCCESSFUL_PULLS),
    Operation.PUSH: (Metric.TOTAL_PUSHES, Metric.SUCCESSFUL_PUSHES),
}
_DELETIONS = (Operation.DELETE, Operation.UNTAG)
_SENDS = ("upload", "upload-session", "manifest")
"""The kinds of routes whose bodies are stored."""


def note(metrics: MetricsSender, answered: Answered) -> None:
    """Counts a request."""
    here = {REGION: answered.settings.region}
    for metric, count in _counts(answered):
        metrics.add(metric, here, count=count)
    kind = answered.journal.kind
    metrics.add(Metric.LATENCY, here | {"Kind": kind}, round(answered.duration_ms, 1))
    if request_log.is_failure(answered):
        metrics.add(Metric.ERRORS, here | {"Class": f"{answered.status // 100}xx"})
    received = bodies.received(answered.request)
    if received and kind in _SENDS and not answered.has_failed:
        metrics.add(Metric.STORED_BYTES, here, received)


def _counts(answered: Answered) -> Iterator[tuple[Metric, int]]:
    """Pulls and pushes are those of manifests, tried by somebody who has signed in or need not."""
    asked = answered.journal.asked
    if asked and not asked.is_blob and asked.operation in _COUNTED and answered.status != 401:
        total, successful = _COUNTED[asked.operation]
        yield total, 1
        if not answered.has_failed:
            yield successful, 1
    deleted = sum(each.operation in _DELETIONS for each in answered.journal.events)
    if deleted:
        yield Metric.DELETIONS, deleted

"""The webhook's verdict on a pod: what it is given that it leaves unsaid, or everything that is wrong with its asking.

A pod is looked at when it is new, asks devices of an installed vendor, is to be placed by our scheduler and does not
opt out. All others pass as they are. The verdict depends on nothing but the pod, and on the quotas of its namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

import msgspec

from hetero.admission import envelope, objects, patch, rules
from hetero.admission.asks import pod_ask
from hetero.admission.envelope import Operation, Request, ReviewedPod
from hetero.admission.keys import Keys
from hetero.admission.verdict import Verdict
from hetero.admission.words import Words
from hetero.config import AdmissionSettings
from hetero.errors import InvalidRequest, InvalidValue, PluginError
from hetero.model.ask import PodAsk
from hetero.model.share import Refusal
from hetero.vendor import Vendor

IGNORE = (("hetero.io/webhook", "ignore"), ("hami.io/webhook", "ignore"))
"""Labels, each with the value, of pods that pass as they are. The second is what manifests have today."""

DEFAULT_SCHEDULER = "default-scheduler"
"""Source: k8s.io/api/core/v1, DefaultSchedulerName; the API server writes it where a pod names none."""

WARNING = 250
"""Characters of a warning that clients show. Source: Kubernetes documentation, "Dynamic Admission Control"."""

DOUBTED = 16
"""Names of resources that are compared with a vendor's own; a pod that has more of them is past helping."""

QuotaCheck = Callable[[str, PodAsk], Refusal | None]
"""Whether the quotas of a namespace leave room for a pod; called once for each pod that is sound."""


class Reviewer:
    """Reviews pods; any thread may use it, as far as ``quota_check`` lets it.

    Args:
        vendors: The installed vendors by name.
        settings: See there.
        quota_check: None to leave quotas to others.
    """

    def __init__(
        self, vendors: Mapping[str, Vendor], settings: AdmissionSettings, quota_check: QuotaCheck | None = None
    ) -> None:
        self._words = Words(vendors)
        self._keys = Keys(vendors, (label for label, _ in IGNORE))
        self._settings = settings
        self._quota_check = quota_check

    def review(self, body: bytes) -> bytes:
        """Answer an AdmissionReview. O(containers of the pod); a refusal is logged and counted.

        Raises:
            InvalidValue: It is no AdmissionReview.
        """
        review = envelope.read(body)
        verdict, name = self._judged(review.request)
        return envelope.write(review, verdict.response(review.request, name), verdict.patch)

    def judge(self, pod: ReviewedPod, namespace: str) -> Verdict:
        """The verdict on a new pod of a namespace."""
        if self._passes(pod):
            return Verdict()
        doubts = (*_doubts(pod, self._words), *self._keys.doubts(pod.metadata.notes))
        warnings = tuple(doubt[:WARNING] for doubt in doubts)
        if not any(rules.named(one, self._words) for one in _containers(pod)):
            return Verdict(warnings=warnings)
        try:
            ask = self._sound(pod, namespace)
        except InvalidRequest as error:
            return Verdict(problems=error.problems, warnings=warnings)
        except PluginError as error:
            return Verdict(defect=str(error), warnings=warnings)
        quota = self._quota(pod, ask)
        return Verdict(patch=() if quota else tuple(self._patch(pod, ask)), quota=quota, warnings=warnings)

    def _sound(self, pod: ReviewedPod, namespace: str) -> PodAsk:
        """What a pod asks; all that is wrong with it is raised at once."""
        unread = rules.too_many(pod)
        if unread is not None:
            raise InvalidRequest([unread])
        problems = tuple(rules.violations(pod, self._words, self._settings))
        try:
            ask = pod_ask(objects.read(pod, namespace), self._words, strict=False)
        except InvalidRequest as error:
            told = {problem.field for problem in error.problems}  # a vendor knows better what may stand there
            others = (problem for problem in problems if problem.field not in told)
            raise InvalidRequest((*others, *error.problems)) from error
        if problems and ask.asks_devices:
            raise InvalidRequest(problems)
        return ask

    def _quota(self, pod: ReviewedPod, ask: PodAsk) -> Refusal | None:
        if self._quota_check is None or not ask.asks_devices:
            return None
        return self._quota_check(ask.namespace, msgspec.structs.replace(ask, traits=objects.traits(pod)))

    def _judged(self, request: Request) -> tuple[Verdict, str]:
        """The verdict, and what the pod is called."""
        if not request.creates_pod:
            return Verdict(), request.name
        try:
            pod = envelope.pod_of(request)
        except InvalidValue as problem:
            return Verdict(problems=(problem,)), request.name
        named = request.name or pod.metadata.name or pod.metadata.generate_name
        return self.judge(pod, request.namespace), named

    def _passes(self, pod: ReviewedPod) -> bool:
        """True when a pod is another scheduler's, or opts out."""
        named = pod.spec.scheduler_name or ""
        settings = self._settings
        ours = (
            named in ("", settings.scheduler_name)
            or settings.overwrite_any_scheduler
            or (settings.overwrite_default_scheduler and named == DEFAULT_SCHEDULER)
        )
        labels = pod.metadata.labels or {}
        return not ours or any(labels.get(label) == value for label, value in IGNORE)

    def _patch(self, pod: ReviewedPod, ask: PodAsk) -> Iterator[Operation]:
        if not ask.asks_devices:
            return
        if pod.spec.scheduler_name != self._settings.scheduler_name:
            yield patch.scheduler(self._settings.scheduler_name)
        yield from patch.completed(pod, ask, self._words)


def review(
    body: bytes, vendors: Mapping[str, Vendor], settings: AdmissionSettings, quota_check: QuotaCheck | None = None
) -> bytes:
    """Answer one AdmissionReview; see :meth:`Reviewer.review`, which does without making the vocabulary each time."""
    return Reviewer(vendors, settings, quota_check).review(body)


def _containers(pod: ReviewedPod) -> Iterable[envelope.ReviewedContainer]:
    return (*pod.spec.containers, *(pod.spec.init_containers or ()))


def _doubts(pod: ReviewedPod, words: Words) -> Iterator[str]:
    """A warning for each resource that seems to be misspelt."""
    named = {name for one in _containers(pod) if one.resources for name in (one.resources.limits or {})}
    for name in islice(words.kin(named), DOUBTED):
        meant = words.misspelt(name)
        if meant:
            yield f"{name[:100]} is no resource of {words.owners[meant].title}; did you mean {meant}?"

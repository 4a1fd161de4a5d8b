"""What becomes of a pod under review, and the words in which its owner and the log are told."""

from __future__ import annotations

from dataclasses import dataclass

from hetero import log, metrics
from hetero.admission.envelope import Cause, Details, Operation, Request, Response, Status
from hetero.errors import InvalidValue
from hetero.model.share import Refusal

_log = log.logger("admission")

LOGGED = 2048
"""Characters of a refusal that the log shows; its client is told all of it."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a pod. It is admitted unless it has problems, its namespace no quota left, or something failed.

    Attributes:
        patch: What it is given.
        problems: What is wrong with it.
        quota: Why the quotas of its namespace do not let it in.
        defect: What failed here, so that the pod could not be judged.
        warnings: What its owner should know although it is admitted.
    """

    patch: tuple[Operation, ...] = ()
    problems: tuple[InvalidValue, ...] = ()
    quota: Refusal | None = None
    defect: str = ""
    warnings: tuple[str, ...] = ()

    def response(self, request: Request, pod: str) -> Response:
        """The answer; a refusal is logged and counted.

        Args:
            request: What is answered.
            pod: Name of the pod, or what it will begin with.
        """
        status = self._status(pod)
        if status is not None:
            metrics.refused_requests.add(status.reason)
            with log.bound(namespace=request.namespace, pod=pod):
                _log.warning("pod refused", reason=status.reason, message=status.message[:LOGGED])
        return Response(uid=request.uid, allowed=status is None, status=status, warnings=self.warnings)

    def _status(self, pod: str) -> Status | None:
        """Why the pod is refused, in the API's own kinds of reason; None when it is not."""
        if self.defect:
            return _refused(pod, "InternalError", 500, self.defect)
        if self.problems:
            causes = tuple(map(_cause, self.problems))
            return _refused(pod, "Invalid", 422, "; ".join(map(str, self.problems)), causes)
        if self.quota:
            return _refused(pod, "Forbidden", 403, f"{self.quota.message} [{self.quota.reason}]")
        return None


def _refused(pod: str, reason: str, code: int, message: str, causes: tuple[Cause, ...] = ()) -> Status:
    details = Details(name=pod, kind="Pod", causes=causes)
    return Status(status="Failure", message=message, reason=reason, code=code, details=details)


def _cause(problem: InvalidValue) -> Cause:
    message = str(problem).removeprefix(f"{problem.field}: ")
    return Cause(reason="FieldValueInvalid", message=message, field=problem.field)

"""What a person does with a cluster: kubectl, helm, and waiting for pods."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.cluster.processes import until

Json = dict[str, Any]

SECONDS = 120.0
"""That a pod may take, on two busy cores."""


class Refused(Exception):
    """A command failed; the text is what it wrote."""


class Client:
    """A person at the command line.

    Args:
        binaries: Where kubectl and helm are.
        kubeconfig: Whom the API server takes it for.
        directory: For what helm keeps.
    """

    def __init__(self, binaries: Path, kubeconfig: Path, directory: Path) -> None:
        self.kubeconfig = kubeconfig
        self._binaries = binaries
        places = {f"HELM_{kind}_HOME": str(directory / "helm" / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig), **places}

    def kubectl(self, *words: str, given: str = "") -> str:
        """Run kubectl and return what it wrote.

        Raises:
            Refused: It failed.
        """
        return self._run("kubectl", words, given)

    def helm(self, *words: str) -> str:
        """Run helm and return what it wrote.

        Raises:
            Refused: It failed.
        """
        return self._run("helm", words)

    def get(self, kind: str, name: str, namespace: str = "default") -> Json:
        """An object; ``{}`` when there is none of that name."""
        told = self.kubectl("get", kind, name, "--namespace", namespace, "--ignore-not-found", "--output", "json")
        found: Json = json.loads(told or "{}")
        return found

    def items(self, kind: str, *words: str) -> list[Json]:
        """All objects of a kind in all namespaces, or those that more words choose (``--selector=…``)."""
        found: list[Json] = json.loads(
            self.kubectl("get", kind, "--all-namespaces", "--output", "json", *words)
        )["items"]  # fmt: skip
        return found

    def apply(self, what: Path | Json | Iterable[Json], namespace: str = "default") -> None:
        """Create or change objects: those of a manifest, or as they are given.

        Raises:
            Refused: With what the API server said.
        """
        if isinstance(what, Path):
            self.kubectl("apply", "--namespace", namespace, "--filename", str(what))
            return
        items = [what] if isinstance(what, Mapping) else list(what)
        document = {"apiVersion": "v1", "kind": "List", "items": items}
        self.kubectl("apply", "--namespace", namespace, "--filename", "-", given=json.dumps(document))

    def delete(self, kind: str, *names: str, namespace: str = "default") -> None:
        """Delete objects, if they are there, and wait until they are gone."""
        self.kubectl("delete", kind, *names, "--namespace", namespace, "--ignore-not-found", "--wait")

    def pod(self, name: str, namespace: str = "default") -> Json:
        """A pod; ``{}`` when there is none of that name."""
        return self.get("pod", name, namespace)

    def wait(self, name: str, state: str = "Ready", namespace: str = "default", seconds: float = SECONDS) -> Json:
        """Wait for a pod to be Ready, or in a phase (``Succeeded``, ``Failed``, ``Running``, ``Pending``), or ``Gone``.

        Raises:
            GaveUp: It is not, in time; with what ``kubectl describe`` says of it.
        """
        return self.until(
            lambda: (found := self.pod(name, namespace), state == state_of(found) or state in phases(found)),
            f"pod {name} is {state}", seconds, lambda: self.describe(name, namespace),
        )  # fmt: skip

    def until(
        self, look: Callable[[], tuple[Json, bool]], what: str, seconds: float, explain: Callable[[], str]
    ) -> Json:
        """Wait until a look at the cluster says so, and return what was seen."""
        seen: list[Json] = []

        def condition() -> bool:
            try:
                found, good = look()
            except Refused:  # an API server under load; the next look is as good
                return False
            seen.append(found)
            return good

        try:
            until(condition, what, seconds=seconds, every=0.25)
        except AssertionError as error:
            raise type(error)(f"{error}\n{explain()}") from None
        return seen[-1]

    def logs(self, pod: str, container: str = "", namespace: str = "default") -> str:
        """What a container wrote."""
        return self.kubectl("logs", pod, "--namespace", namespace, *(["--container", container] if container else []))

    def exec(self, pod: str, *words: str, container: str = "", namespace: str = "default") -> str:
        """Run a command in a container and return what it wrote."""
        which = ["--container", container] if container else []
        return self.kubectl("exec", pod, "--namespace", namespace, *which, "--", *words)

    def describe(self, pod: str, namespace: str = "default") -> str:
        """What a person is told about a pod, its events included."""
        try:
            return self.kubectl("describe", "pod", pod, "--namespace", namespace)
        except Refused as refused:
            return str(refused)

    def _run(self, program: str, words: Iterable[str], given: str = "") -> str:
        done = subprocess.run(
            [self._binaries / program, *words], env=self.environment, input=given, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise Refused(f"{program} {' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout


def state_of(pod: Json) -> str:
    """``Ready``, ``Gone``, or the pod's phase."""
    if not pod:
        return "Gone"
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return "Ready" if conditions.get("Ready") == "True" else str(pod["status"].get("phase", ""))


def phases(pod: Json) -> set[str]:
    """The phase by itself: a pod that is Ready is Running too."""
    return {pod["status"]["phase"]} if pod else set()

"""The kinds of tasks by what their labels are."""

from __future__ import annotations

from collections.abc import Mapping

from canao.nas.training.data.spec import TaskSpec
from canao.nas.training.kinds.kind import Kind
from canao.nas.training.kinds.labelled import Labelled
from canao.nas.training.kinds.spans import Spans

KINDS: Mapping[str, Kind] = {"labels": Labelled(), "spans": Spans()}


def kind_of(spec: TaskSpec) -> Kind:
    """The kind of a task."""
    return KINDS[spec.kind]

# SPDX-License-Identifier: Apache-2.0
"""States: inputs that are outputs of the call before, as the user or their names say."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from mcuplan.errors import McuplanError, Problems, UsageError
from mcuplan.ir.graph import Port
from mcuplan.ir.types import DType
from mcuplan.safe_text import shown
from mcuplan.spelling import did_you_mean

__all__ = ["state_pairs", "with_states"]

_Ports = tuple[Port, ...]

_READ = frozenset({"in", "input", "past", "prev", "previous", "old", "init", "initial"})
_WRITTEN = frozenset({"out", "output", "present", "next", "new", "n", "updated", "final", "last"})
_KEPT = frozenset(
    {"h", "c", "hx", "cx", "hidden", "cell", "state", "states", "cache", "mem", "memory", "buffer"}
    | {"context", "carry", "kv", "key", "keys", "value", "values", "past", "present"}
)


def state_pairs(inputs: _Ports, outputs: _Ports) -> tuple[tuple[str, str], ...]:
    """Inputs with the outputs that they plainly are in the next call: none where that is open.

    Their names say so (h and hn, h0 and hn, state and new_state, past_0 and present_0, cache_in
    and cache_out), shape and type are the same, and no other pair shares an end.
    """
    results: dict[tuple[str, ...], list[tuple[Port, frozenset[str]]]] = defaultdict(list)
    for written in outputs:
        words = _words(written.name)
        if _WRITTEN.intersection(words):
            base = tuple(word for word in words if word not in _WRITTEN)
            results[base].append((written, frozenset(words)))
    found = [
        (read.name, written.name)
        for read in inputs
        for base, words in [_base_of(read.name)]
        for written, after in (pair for form in base for pair in results.get(form, ()))
        if _KEPT.intersection(words | after) and not _mismatch(read, written)
    ]
    ends = Counter(name for pair in found for name in pair)
    several = any(count > 1 for count in ends.values())
    return () if several or len(found) in (len(inputs), len(outputs)) else tuple(found)


def _base_of(name: str) -> tuple[tuple[tuple[str, ...], ...], frozenset[str]]:
    """What is left of an input's words without what says before, a 0 kept or not; all words."""
    words = _words(name)
    plain = tuple(word for word in words if word not in _READ)
    bare = tuple(word for word in plain if word != "0")
    return tuple(dict.fromkeys((plain, bare))), frozenset(words)


def _words(name: str) -> list[str]:
    """Words and numbers of a name; hn and cn are two."""
    found = re.findall(r"[a-z]+|[0-9]+", name.lower())
    return [part for word in found for part in (word if word in ("hn", "cn") else (word,))]


def with_states(
    inputs: _Ports, outputs: _Ports, pairs: Sequence[tuple[str, str]]
) -> tuple[_Ports, _Ports]:
    """The ports of a model, both ends of each state marked.

    Args:
        inputs: as the model has them.
        outputs: the same.
        pairs: (input, output) of each state.

    Raises:
        UsageError, Problems: no such input or output, one of them is named twice, or the two
            differ in shape or element type.
    """
    errors: list[McuplanError] = []
    sources, results = {p.name: p for p in inputs}, {p.name: p for p in outputs}
    names = [name for name, _ in pairs], [name for _, name in pairs]
    for read, written in pairs:
        flag = f"--state {shown(read)}={shown(written)}"
        if read not in sources:
            hint = shown(did_you_mean(read, list(sources)))
            errors.append(UsageError(f"the model has no input {shown(read)!r}", flag, hint))
        elif written not in results:
            hint = shown(did_you_mean(written, list(results)))
            errors.append(UsageError(f"the model has no output {shown(written)!r}", flag, hint))
        elif names[0].count(read) > 1 or names[1].count(written) > 1:
            errors.append(UsageError("an end of two states", flag, "name each end once"))
        elif problem := _mismatch(sources[read], results[written]):
            errors.append(UsageError(problem, flag, "a state has one shape and one type"))
    if not errors and pairs and set(names[0]) == set(sources):
        errors.append(UsageError("every input is a state", "--state", "leave one input"))
    if not errors and pairs and set(names[1]) == set(results):
        errors.append(UsageError("every output is a state", "--state", "leave one output"))
    Problems.raise_if_any(errors)
    state_of = {written: read for read, written in pairs}
    return (
        tuple(_marked(port, port.name) if port.name in names[0] else port for port in inputs),
        tuple(_marked(p, state_of[p.name]) if p.name in state_of else p for p in outputs),
    )


def _marked(port: Port, state: str) -> Port:
    """An end of a state: as the layers have it, whatever a boundary would want."""
    return replace(port, state=state, boundary=DType.INT8)


def _mismatch(read: Port, written: Port) -> str:
    """How two ends differ, "" where they do not."""
    if read.shape != written.shape:
        return f"input {list(read.shape)}, output {list(written.shape)}"
    if read.dtype != written.dtype:
        return f"input {read.dtype.value}, output {written.dtype.value}"
    if read.whole != written.whole:
        kinds = ["integers" if port.whole else "real numbers" for port in (read, written)]
        return f"input read as {kinds[0]}, output made of {kinds[1]}"
    return ""

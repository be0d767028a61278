"""From what sender authentication asks to lookups, and back. (pure)

verdict = await dns.arun(asked.lookups(sender.judge(...)))
"""

from typing import TypeVar

from mailcore.outside.lookups import Answer, Lookup, Steps
from mailcore.outside.lookups import Outcome as Found
from mailcore.senderauth import questions

T = TypeVar("T")


def lookups(steps: questions.Steps[T]) -> Steps[T]:
    """Turn an evaluator into a generator of lookups."""
    try:
        asked = next(steps)
        while True:
            found = yield [Lookup(question.name, question.type) for question in asked]
            asked = steps.send([_outcome(one) for one in found])
    except StopIteration as done:
        result: T = done.value
        return result


def _outcome(found: Found) -> questions.Outcome:
    return found.records if isinstance(found, Answer) else found

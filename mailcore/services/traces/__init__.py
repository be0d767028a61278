"""What happened to a mail: find it, tell its story, say what to do next. Read only.

The dashboard, the staff's pages and the API call this package:

    found = traces.find([tenant.pk], traces.Asked(clues.read(text)))
    for story in traces.summaries([(hit.tenant_id, hit.trace) for hit in found.hits]): ...
    story = traces.tell(tenant.pk, trace); traces.words.headline(story)
"""

from mailcore.services.traces import words
from mailcore.services.traces.search import Asked, Found, Hit, find
from mailcore.services.traces.story import Outcome, Step, Story, summaries, tell

__all__ = ["Asked", "Found", "Hit", "Outcome", "Step", "Story", "find", "summaries", "tell", "words"]

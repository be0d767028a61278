"""The part of the worker that carries mail out: Postman, and the one of this process, postman()."""

from mailcore.postman.postman import Postman, postman

__all__ = ["Postman", "postman"]

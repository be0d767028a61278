"""The verbs. Only these modules open transactions and change rows; callers import the module."""

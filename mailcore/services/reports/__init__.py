"""Reports about mail: those that others send us about our customers' domains, and those that we owe."""

from mailcore.services.reports.address import domain_address
from mailcore.services.reports.taking import Box, expected, prune, unit

__all__ = ["Box", "domain_address", "expected", "prune", "unit"]

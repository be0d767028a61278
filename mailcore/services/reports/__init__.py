"""Reports about mail: those that others send us about our customers' domains, and those that we owe."""

from mailcore.services.report_addresses import domain_address
from mailcore.services.reports import counts, sending
from mailcore.services.reports.shown import Overview, overview
from mailcore.services.reports.taking import Box, expected, prune, unit

__all__ = ["Box", "Overview", "counts", "domain_address", "expected", "overview", "prune", "sending", "unit"]

"""The REST API: see v1/."""

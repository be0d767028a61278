"""How people ask over HTTP: control panel, webmail, API, and the supervisor behind `up`. Owns no tables."""

"""Mail in the browser: one file per screen."""

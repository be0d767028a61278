"""Version 1 of the API: one file per noun, with serializer, view and routes together."""

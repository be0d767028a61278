"""Control panel: one file per noun, with form, views and routes together."""

"""The staff admin: Django's admin in unfold's dress, changing rows only through services."""

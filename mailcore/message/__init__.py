"""Octets to structure and back: what one mail is, without database, clock or network. (pure)"""

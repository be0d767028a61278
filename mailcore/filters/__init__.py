"""Filters: evidence about a mail in, and out what shall become of it. (pure)"""

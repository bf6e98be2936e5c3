"""A placeholder replaced below."""

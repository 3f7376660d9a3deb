"""Conversions to and from the types of other packages, which are imported when they are used."""

"""What `tracking.py` is made of: which methods give identities, how they are run and scored, and the tables."""

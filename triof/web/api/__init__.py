"""The API: one implementation in two versions, which differ in what they tell (``models.py``) alone."""

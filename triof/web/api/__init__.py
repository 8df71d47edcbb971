"""The API: one implementation in two versions, whose only difference is the response models (``models.py``)."""

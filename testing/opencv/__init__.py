"""A folder for PYTHONPATH, where ``import cv2`` gives a webcam that behaves: for processes that a test only starts."""

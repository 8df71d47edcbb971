"""Decoding of image bytes to pixels: headers are read first, and the cost of each decode is limited."""

"""The local provider: a small convolutional network that runs on this machine without a network connection."""

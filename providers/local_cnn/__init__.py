"""A small convolutional network on this machine: answers without any network, from a bundle in a folder."""

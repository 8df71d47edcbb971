"""A strict fake of Azure Custom Vision on loopback: prediction, training and exports, with faults on demand."""

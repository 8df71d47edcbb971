"""Azure Custom Vision: tells the waste type over the network, through the vendor's SDK."""

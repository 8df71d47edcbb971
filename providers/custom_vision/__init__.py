"""The Azure Custom Vision provider: predicts the waste type in the cloud, with the vendor's SDK."""

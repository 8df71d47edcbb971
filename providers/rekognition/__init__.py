"""Amazon Rekognition Custom Labels as a provider; only ``client.py`` imports the vendor's library."""

"""The strict fake of Amazon Rekognition Custom Labels."""

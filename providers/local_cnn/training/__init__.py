"""Training of bundles, which needs TensorFlow or OpenCV; never imported on a running machine."""

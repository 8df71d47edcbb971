"""All that trains a bundle and needs TensorFlow or OpenCV; nothing that answers on a machine imports it."""

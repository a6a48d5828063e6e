"""What runs on the device: bundle, interpreter, sources, recurrent state, events. No TensorFlow."""

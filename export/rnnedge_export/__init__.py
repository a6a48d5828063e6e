"""Trained Keras 3 model → tf_keras twin → quantisation-aware training → int8 TFLite → audited bundle."""

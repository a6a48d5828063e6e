"""Clips after training: stream them through the device's code, tune events, quantise, measure, demonstrate."""

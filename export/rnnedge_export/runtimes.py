"""What the supported runtimes can load."""

# The highest version of each operator that tflite-runtime 2.14.0 registers. Not from a document: one-operator models
# of every version were given to that runtime, and its "Didn't find op" noted. ai-edge-litert is not listed, since
# every export is run on it.
# fmt: off
TFLITE_RUNTIME_2_14: dict[str, int] = {
    "ADD": 5, "AVERAGE_POOL_2D": 3, "BATCH_MATMUL": 4, "BROADCAST_TO": 3, "CAST": 5, "CONCATENATION": 4, "CONV_2D": 7,
    "DEPTHWISE_CONV_2D": 7, "DEQUANTIZE": 5, "EXPAND_DIMS": 1, "FILL": 4, "FULLY_CONNECTED": 10,
    "GATHER": 6, "LESS": 3, "LOGISTIC": 3, "MAXIMUM": 4, "MAX_POOL_2D": 3, "MEAN": 3, "MINIMUM": 4,
    "MUL": 7, "PACK": 4, "PAD": 4, "PADV2": 4, "QUANTIZE": 3, "REDUCE_MAX": 3, "RELU": 3, "RELU6": 3,
    "RESHAPE": 1, "REVERSE_V2": 3, "SHAPE": 1, "SLICE": 6, "SOFTMAX": 3, "SPLIT": 4, "SPLIT_V": 2,
    "SQUEEZE": 2, "STRIDED_SLICE": 8, "SUB": 5, "SUM": 2, "TANH": 3, "TRANSPOSE": 6,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 4, "UNPACK": 4, "WHILE": 1,
}
# fmt: on

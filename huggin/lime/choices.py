"""The names that options take, apart from the code that they choose, which is slow to load."""

SEGMENTERS = ("quickshift", "slic", "felzenszwalb", "grid")
FILLS = ("grey", "black", "mean", "blur")
SAMPLERS = ("hadamard", "binomial", "leave-one-out")
SCALES = ("probability", "logit")
PIXELS = ("signed", "unit", "byte", "caffe", "torch")
ENDINGS = ("softmax", "sigmoid", "logits")
ENGINES = ("tensorflow", "openvino")
WIDTH = 0.25  # of the kernel; the square root makes its effective width WIDTH * sqrt(2)

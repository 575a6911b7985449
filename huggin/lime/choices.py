"""The names that options take: how a picture is cut, what hides a segment, how masks are drawn."""

SEGMENTERS = ("quickshift", "slic", "felzenszwalb", "grid")
FILLS = ("grey", "black", "mean", "blur")
SAMPLERS = ("binomial", "paired", "kernel", "leave-one-out")
SCALES = ("probability", "logit")
PIXELS = ("signed", "unit", "byte")

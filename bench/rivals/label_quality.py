"""Given answers -> their order by cleanlab, the most suspicious first, as JSON on stdout.

Argument: FILE.npz with labels (2, questions), the first and the last token of each answer, and
probabilities (2, questions, tokens) of a model that has not seen the question.
"""

import json
import sys

import numpy as np
from cleanlab.rank import get_label_quality_scores

METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def main() -> None:
    """Print the order of each of cleanlab's scores; of start and end the lower one counts."""
    given = np.load(sys.argv[1])
    orders = {}
    for method in METHODS:
        pairs = zip(given["labels"], given["probabilities"], strict=True)
        scores = [get_label_quality_scores(*pair, method=method) for pair in pairs]
        orders[method] = np.argsort(np.min(scores, axis=0), kind="stable").tolist()
    print(json.dumps(orders))


if __name__ == "__main__":
    main()

"""One colour, one meaning: in figures, which name no other colour, and in pages/page/style.css."""

INK = "#1f2328"  # text, sums, a single run; in bold what is tracked or marked
QUIET = "#59636e"  # what stands behind: the other nodes, each batch, lines at 0
NOTHING = "#c0c8cf"  # not there, or no more than chance
PAPER = "#ffffff"
START = "#0072b2"  # this one and the next three are Okabe and Ito's
END = "#d55e00"
GOLD = "#009e73"  # the true answer, and being right
MODEL = "#cc79a7"  # the model's answer
FOR = "#00808c"  # speaks for an answer
AGAINST = "#b2182b"
ASKED = "#aa3377"  # questions that were asked on the way: validation
LOWERED, RAISED, NET = "#c2b8dc", "#f9c78b", "#542788"  # the loss, by the ledger
LAYERS = ("#b39ddb", "#7e57c2", "#311b92")  # purple, from early layers to late ones
# of each run, the same in every figure: indigo, ochre, wine, sky blue, olive, black
RUNS = ("#332288", "#b8860b", "#882255", "#3aa6c4", "#777722", "#222222")
# of lines that only the legend tells apart: Paul Tol's "bright"
SERIES = ("#4477aa", "#ee6677", "#ccbb44", "#228833", "#66ccee", "#aa5533")
# shades from little to much
START_SHADES, END_SHADES, ATTENTION = "Blues", "Oranges", "Purples"
LOGITS, NORMS = "cividis", "viridis"
CREDITS = "PuOr_r"  # orange raised the loss, purple lowered it

"""stub"""
def draw_kept(kept): return {}

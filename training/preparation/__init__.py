"""What a run needs before its first step, computed once and shared."""

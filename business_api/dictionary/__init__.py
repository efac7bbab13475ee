"""数据字典: lists of words that are open; what the code itself asks about is an enum there."""

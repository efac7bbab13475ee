"""数据统计 (F4): what operators and companies have, counted; nothing of it is stored."""

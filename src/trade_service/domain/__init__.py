"""Nouns, rules, legal transitions and exact money. Pure: no clock, dice, I/O or HTTP."""

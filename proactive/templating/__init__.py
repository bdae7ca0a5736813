"""Cards written in the Adaptive Card template language, filled with data by an evaluator of our own.

text ─▶ parser ─▶ a function of a scope ─▶ template: a card of such functions ─▶ expand, for each person ─▶ card

Nothing here reads, writes or waits, and nothing reaches a Python object: values are JSON's. What a template may cost is
bounded by `Budget` whatever it says (docs/templates.md, docs/decisions/0019).
"""

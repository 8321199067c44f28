"""What a learner sees: small widgets, each with its front end in a .js and a .css file beside it.

State and answers live in Python; the front end draws a `view` and sends back
what was pressed. Every widget also has a text form, for notebooks that are
read without a kernel. Nothing is imported until a widget is shown.
"""

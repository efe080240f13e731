"""How what an operation takes grows with what it is about: layers, children, tags, garbage."""

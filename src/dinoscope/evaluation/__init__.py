"""How good is retrieval, and does suppressing directions help?"""

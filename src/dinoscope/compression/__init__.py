"""How small may the vectors of a collection be, for what they are to be used for?"""

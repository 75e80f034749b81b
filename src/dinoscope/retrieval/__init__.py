"""Which photographs or patches of a store are like this one?"""

"""Which one change to how OLD was made gives NEW?"""

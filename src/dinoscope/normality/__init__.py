"""What is normal, and which patches of a photograph are not?"""

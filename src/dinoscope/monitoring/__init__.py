"""Since when do the dense features of a training get worse, and would an anchor help?"""

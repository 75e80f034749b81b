"""Does a model that was exported, quantised or moved elsewhere still give the same dense features?"""

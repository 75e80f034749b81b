"""Which backbone, layer, grid and facet for these photographs and masks?"""

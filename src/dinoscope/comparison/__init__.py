"""How do two or more models organise the same photographs? Numbers, maps, report, live page."""

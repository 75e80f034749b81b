"""Where does the same thing lie in another photograph? Matches of patches."""

"""What can be seen in one photograph? Every way of looking at its patch features, models side by side."""

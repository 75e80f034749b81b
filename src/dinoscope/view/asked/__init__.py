"""What the live page asks beside its payload, a module for each way of looking."""

"""What was thrown at the program and how often: figures of real runs, and the page of them."""

"""What is wrong and what to do about it: checks with a remedy each."""

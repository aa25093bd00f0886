"""What is installed is what is tested: the wheel, in a virtual environment of its own."""

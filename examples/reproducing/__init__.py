"""What `examples/reproduce.py` is made of: recipes are read, run stage by stage, measured, and summed up."""

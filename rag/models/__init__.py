"""Everything with weights that writes: the endpoint, the llama.cpp child, the model files."""

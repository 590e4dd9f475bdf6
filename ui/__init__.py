"""What a person or a program touches: the terminal and the chat page. Wiring only; answers come from `rag`."""

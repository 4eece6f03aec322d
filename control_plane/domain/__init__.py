"""What a store is and which moves it may make. No I/O."""

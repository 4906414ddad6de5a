// Does nothing but be there.

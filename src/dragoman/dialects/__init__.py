"""What bytes mean: one package a wire format, each ignorant of the others and of any network."""

"""Evidence in, words out; pure, with no authority over what was found."""

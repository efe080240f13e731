"""What a page of a listing costs in small repositories and in large ones."""

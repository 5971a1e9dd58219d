"""How a deletion is carried out. decide/deletion/ decides what should happen."""

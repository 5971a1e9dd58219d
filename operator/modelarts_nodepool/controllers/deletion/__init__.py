"""How a deletion is done; what should happen is decided in decide/deletion/."""

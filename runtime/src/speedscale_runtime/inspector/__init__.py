"""Does what is asked of this cluster at the backend, over one connection opened from inside."""

"""The API that users write and read: the two kinds, their conditions and reasons. Pure data, no I/O."""

"""One LIST of node pools per resource pool and interval."""

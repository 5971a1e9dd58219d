"""Kubernetes operator for Huawei Cloud ModelArts node pools."""

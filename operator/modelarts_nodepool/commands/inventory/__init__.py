"""`modelarts-nodepool inventory`: node pools in the cloud against objects in the cluster. Changes nothing."""

"""What the demo, the storm, the bench and tests/ share: start and stop programs, and talk to each of them.

workspace      the checkout, a private folder, what is shipped, what is left over
interrupts  Ctrl-C and SIGTERM
operator    `modelarts-nodepool run` as a process
simulator   `modelarts-nodepool simulate` as a process, and its control endpoint
api         the API server, as an administrator
objects     bodies of accounts, Secrets and node pools
metrics     a scrape of /metrics
blocking    asynchronous clients for callers that block
"""

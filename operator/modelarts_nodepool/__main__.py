"""`python -m modelarts_nodepool` is `modelarts-nodepool`."""

from modelarts_nodepool.cli import main

if __name__ == "__main__":
    main()

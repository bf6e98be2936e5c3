"""`python -m adapterxfer` is the command `adapterxfer`."""

from adapterxfer.cli.main import entry

if __name__ == "__main__":
    entry()

"""The figures that the product is judged by; each module is one benchmark, run by `make bench-NAME`."""

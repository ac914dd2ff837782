"""Stores on other machines: their addresses, and the ssh that reaches them."""

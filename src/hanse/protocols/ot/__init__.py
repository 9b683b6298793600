"""Oblivious transfer: base transfers, their extension to many, and transfers of random and of given messages."""

"""Conversations that several components use, and the channel that all of them speak over."""

"""What people are told, in the node and beyond it: by e-mail, webhooks and rooms of chat."""

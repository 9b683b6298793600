"""Single sign-on: the OpenID providers that an organisation trusts to say who its people are."""

"""Clients of the services that own the names of portfolios and securities."""

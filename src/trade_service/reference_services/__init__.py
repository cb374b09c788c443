"""The two services that own the names of portfolios and securities."""

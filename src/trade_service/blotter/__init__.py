"""Reads any spreadsheet into checked orders; what could mean two things is refused."""
